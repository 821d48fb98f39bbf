import { mkdir, rename, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { look, syncDirectory } from "./disk.node.js";
import { OWN_FOLDER, type RelativePath } from "./relativePath.js";

/** Moves a file to `.handfast/trash/<date>/`, so that nothing is ever destroyed. PROTOCOL.md §5. */
export async function moveToTrash(root: string, path: RelativePath): Promise<void> {
  const day = new Date().toISOString().slice(0, 10);
  for (let copy = 0; ; copy++) {
    const target = join(root, OWN_FOLDER, "trash", copy === 0 ? day : `${day}.${copy}`, path);
    if (look(target)) continue;
    try {
      await mkdir(dirname(target), { recursive: true });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // A trashed file has the name that must be a folder now: the next one is free.
      if (code === "EEXIST" || code === "ENOTDIR") continue;
      throw error;
    }
    await rename(join(root, path), target);
    await syncDirectory(dirname(target));
    await syncDirectory(dirname(join(root, path)));
    return;
  }
}

/** Takes away the folders above `path` that have become empty. */
export async function removeEmptyParents(root: string, path: RelativePath): Promise<void> {
  const parts = path.split("/").slice(0, -1);
  for (; parts.length > 0; parts.pop()) {
    const removed = await rmdir(join(root, ...parts)).then(
      () => true,
      () => false,
    );
    if (!removed) return;
  }
}

import { mkdirSync, type Stats } from "node:fs";
import { join, sep } from "node:path";
import { look, withDisk } from "./disk.node.js";
import { FolderError } from "./folder.js";
import { isRelativePath, OWN_FOLDER, parseRelativePath, type RelativePath } from "./relativePath.js";

/** So long is a directory taken for what it was when it was looked at. */
const TRUSTED_MS = 1000;
const MAX_TRUSTED = 10_000;

/** Walks paths below a root step by step: a link in the middle would lead out of it. PROTOCOL.md §6. */
export class SafePaths {
  readonly #root: string;
  /** Directories by their relative path, and when they were looked at. */
  readonly #trusted = new Map<string, number>();

  constructor(root: string) {
    this.#root = root;
  }

  absolute(path: string): string {
    return join(this.#root, path.replaceAll("/", sep));
  }

  /** What is at the path; undefined when nothing is. Throws FOLDER_UNSAFE for a path through a link. */
  look(path: RelativePath): Stats | undefined {
    for (const folder of foldersAbove(path)) {
      if (this.#isTrusted(folder)) continue;
      const found = look(this.absolute(folder));
      if (found?.isSymbolicLink()) throw unsafe(path);
      if (!found?.isDirectory()) return undefined;
      this.#trust(folder);
    }
    return look(this.absolute(path));
  }

  /** Makes the directories above the path. Throws FolderError. */
  async makeParents(path: RelativePath): Promise<void> {
    for (const folder of foldersAbove(path)) {
      if (this.#isTrusted(folder)) continue;
      let found = look(this.absolute(folder));
      if (!found) {
        // Where a disk is missing, its mount point must stay empty.
        if (!look(this.absolute(OWN_FOLDER))) throw vanished(this.#root);
        await withDisk(this.#root, () => mkdirSync(this.absolute(folder))).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== "EEXIST") throw error;
        });
        found = look(this.absolute(folder));
      }
      if (found?.isSymbolicLink()) throw unsafe(path);
      if (!found?.isDirectory()) throw inTheWay(path, folder);
      this.#trust(folder);
    }
  }

  /** Directories may have gone. */
  forget(): void {
    this.#trusted.clear();
  }

  #isTrusted(folder: string): boolean {
    const since = this.#trusted.get(folder);
    return since !== undefined && performance.now() - since < TRUSTED_MS;
  }

  #trust(folder: string): void {
    if (this.#trusted.size >= MAX_TRUSTED) this.#trusted.clear();
    this.#trusted.set(folder, performance.now());
  }
}

function* foldersAbove(path: string): Generator<string> {
  for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) yield path.slice(0, slash);
}

export function vanished(root: string): FolderError {
  return new FolderError(
    "FOLDER_VANISHED",
    `${root} is no longer the folder it was. Is its disk connected? Nothing was deleted elsewhere.`,
  );
}

export function unsafe(path: RelativePath): FolderError {
  return new FolderError("FOLDER_UNSAFE", `${path} would go through a link or a device; it was left alone.`);
}

export function inTheWay(path: RelativePath, blocker: string): FolderError {
  const parsed = parseRelativePath(blocker);
  return new FolderError("FOLDER_IN_THE_WAY", `${path} cannot be stored: ${blocker} is in the way.`, {
    blocker: isRelativePath(parsed) ? parsed : undefined,
  });
}

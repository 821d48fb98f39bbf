import { type FileHandle, open, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** The steps of a write that can fail. Real by default; tests let one of them fail. */
export interface FileSteps {
  create(path: string): Promise<FileHandle>;
  write(file: FileHandle, text: string): Promise<void>;
  sync(file: FileHandle): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  remove(path: string): Promise<void>;
}

export const REAL_STEPS: FileSteps = {
  create: (path) => open(path, "wx", 0o600),
  write: (file, text) => file.writeFile(text, "utf8"),
  sync: (file) => file.sync(),
  rename,
  syncDirectory,
  remove: unlink,
};

/** Replaces `path` whole or not at all: PROTOCOL.md §3. */
export async function writeAtomically(path: string, text: string, steps: FileSteps = REAL_STEPS): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.tmp`);
  // A leftover of a crash, or of a removal that failed: ours alone, because the directory is locked.
  await steps.remove(temporary).catch(ignoreMissing);
  const file = await steps.create(temporary);
  try {
    try {
      await steps.write(file, text);
      await steps.sync(file);
    } finally {
      await file.close();
    }
    await steps.rename(temporary, path);
  } catch (error) {
    await steps.remove(temporary).catch(() => {});
    throw error;
  }
  await steps.syncDirectory(dirname(path));
}

export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

export function ignoreMissing(error: unknown): void {
  if (errorCode(error) !== "ENOENT") throw error;
}

async function syncDirectory(path: string): Promise<void> {
  // Windows cannot open a directory for fsync; a rename is durable enough there.
  if (process.platform === "win32") return;
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

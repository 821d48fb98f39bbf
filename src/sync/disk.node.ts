import { closeSync, constants, fsync, lstatSync, openSync, type Stats } from "node:fs";
import { promisify } from "node:util";
import { type FileStat, FolderError } from "./folder.js";

/** What `lstat` says, or undefined when nothing is there. */
export function look(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

/** What was written to the open file is durable. */
export const syncFile: (descriptor: number) => Promise<void> = promisify(fsync);

export function statOf({ size, mtimeMs, ctimeMs, ino, mode }: Stats): FileStat {
  const executable = process.platform === "win32" ? undefined : (mode & 0o100) !== 0;
  return { size, mtimeMs, ctimeMs, inode: ino, executable };
}

/** Runs `work`; a full disk becomes the error that pauses. */
export async function withDisk<T>(root: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw code === "ENOSPC" || code === "EDQUOT" ? diskFull(root) : error;
  }
}

export function diskFull(root: string): FolderError {
  return new FolderError("DISK_FULL", `The disk of ${root} is full. Make room; syncing goes on by itself.`);
}

const running = new Map<string, Promise<void>>();
const queued = new Map<string, Promise<void>>();

/** Makes the renames in a directory durable. Those who ask while one sync runs share the next. PROTOCOL.md §5. */
export function syncDirectory(path: string): Promise<void> {
  const current = running.get(path);
  if (!current) return startSync(path);
  let next = queued.get(path);
  if (!next) {
    next = current.then(() => {
      queued.delete(path);
      return startSync(path);
    });
    queued.set(path, next);
  }
  return next;
}

function startSync(path: string): Promise<void> {
  const work = syncNow(path).finally(() => {
    if (running.get(path) === work) running.delete(path);
  });
  running.set(path, work);
  return work;
}

/** Not every system can open a directory; those that cannot need it less. */
async function syncNow(path: string): Promise<void> {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY);
  } catch {
    return;
  }
  await syncFile(descriptor).catch(() => {});
  closeSync(descriptor);
}

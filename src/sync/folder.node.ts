import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, lstat, mkdir, open, opendir, readdir, rename, rm, stat, unlink } from "node:fs/promises";
import { join, resolve, sep } from "node:path";
import {
  type FileReader,
  type FileStat,
  type Folder,
  FolderError,
  type FoundFile,
  type Incoming,
  type Skipped,
} from "./folder.js";
import { IncomingFile } from "./incomingFile.node.js";
import { isRelativePath, OWN_FOLDER, parseRelativePath, type RelativePath } from "./relativePath.js";

const READ_CHUNK = 1024 * 1024;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** A directory on this computer as a shared folder. PROTOCOL.md §5, §7. */
export class DiskFolder implements Folder {
  readonly root: string;

  private constructor(root: string) {
    this.root = root;
  }

  /** Checks that the directory can be used; makes its `.handfast` when `writable`. Throws FolderError. */
  static async open(path: string, options: { readonly writable: boolean }): Promise<DiskFolder> {
    const root = resolve(path);
    const found = await stat(root).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT")
        throw new FolderError("FOLDER_MISSING", `There is no folder ${root}. Create it, or check how it is written.`);
      throw unreadable(root, error);
    });
    if (!found.isDirectory())
      throw new FolderError("FOLDER_NOT_A_DIRECTORY", `${root} is a file, not a folder. Name a folder.`);
    await (
      await opendir(root).catch((error: unknown) => {
        throw unreadable(root, error);
      })
    ).close();
    if (options.writable) {
      await mkdir(join(root, OWN_FOLDER), { recursive: true }).catch((error: unknown) => {
        throw new FolderError("FOLDER_UNREADABLE", `${root} cannot be written to. Check its permissions.`, {
          cause: error,
        });
      });
      await rm(join(root, OWN_FOLDER, "tmp"), { recursive: true, force: true });
    }
    return new DiskFolder(root);
  }

  async *scan(onSkipped: (skipped: Skipped) => void): AsyncGenerator<FoundFile> {
    yield* this.#walk("", onSkipped);
  }

  async stat(path: RelativePath): Promise<FileStat | undefined> {
    const found = await this.#safely(path);
    return found?.isFile() ? statOf(found) : undefined;
  }

  async hash(path: RelativePath): Promise<{ hash: Uint8Array; stat: FileStat } | undefined> {
    const reader = await this.open(path);
    if (!reader) return undefined;
    try {
      const before = await reader.stat();
      const hash = createHash("sha256");
      for (let offset = 0; ; ) {
        const bytes = await reader.read(offset, READ_CHUNK);
        if (bytes.length === 0) break;
        hash.update(bytes);
        offset += bytes.length;
      }
      const after = await reader.stat();
      return same(before, after) ? { hash: new Uint8Array(hash.digest()), stat: after } : undefined;
    } finally {
      await reader.close();
    }
  }

  async open(path: RelativePath): Promise<FileReader | undefined> {
    if (!(await this.#safely(path))?.isFile()) return undefined;
    const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0);
    const handle = await open(this.#absolute(path), flags).catch(() => undefined);
    return handle && new DiskReader(handle);
  }

  async receive(path: RelativePath): Promise<Incoming> {
    await this.#makeParents(path);
    return await IncomingFile.open({ root: this.root, target: this.#absolute(path), trash: () => this.trash(path) });
  }

  /** Moves the file out of the way, so that nothing is ever destroyed. PROTOCOL.md §5. */
  async trash(path: RelativePath): Promise<void> {
    if (!(await this.#safely(path))) return;
    const day = new Date().toISOString().slice(0, 10);
    const folder = join(this.root, OWN_FOLDER, "trash", day);
    for (let copy = 0; ; copy++) {
      const target = join(folder, copy === 0 ? path : `${path}.${copy}`);
      await mkdir(join(target, ".."), { recursive: true });
      if (await exists(target)) continue;
      await rename(this.#absolute(path), target);
      await syncDirectory(join(this.#absolute(path), ".."));
      return;
    }
  }

  async isOurs(): Promise<boolean> {
    return await exists(join(this.root, OWN_FOLDER));
  }

  async rename(from: RelativePath, to: RelativePath): Promise<FileStat> {
    await this.#makeParents(to);
    if (await exists(this.#absolute(to))) await this.trash(to);
    await rename(this.#absolute(from), this.#absolute(to));
    await syncDirectory(join(this.#absolute(to), ".."));
    return statOf(await lstat(this.#absolute(to)));
  }

  async *#walk(folder: string, onSkipped: (skipped: Skipped) => void): AsyncGenerator<FoundFile> {
    const entries = await readdir(join(this.root, folder), { encoding: "buffer", withFileTypes: true }).catch(
      (error: NodeJS.ErrnoException) => {
        // The root itself must be there; below it, what cannot be read is left out and the rest goes on.
        if (folder === "") throw unreadable(this.root, error);
        onSkipped({ path: folder, reason: `cannot be read (${error.code ?? "error"})` });
        return [];
      },
    );
    for (const entry of entries) {
      const name = nameOf(entry.name as unknown as Uint8Array);
      const shown = `${folder}${name ?? Buffer.from(entry.name as unknown as Uint8Array).toString("latin1")}`;
      if (folder === "" && name === OWN_FOLDER) continue;
      const path = name === undefined ? undefined : parseRelativePath(shown);
      if (path === undefined) onSkipped({ path: shown, reason: "its name is not valid UTF-8" });
      else if (!isRelativePath(path))
        onSkipped({ path: shown, reason: `its name cannot be used everywhere: ${path.refused}` });
      else if (entry.isDirectory()) yield* this.#walk(`${shown}/`, onSkipped);
      else if (!entry.isFile()) onSkipped({ path: shown, reason: "it is a link or a device, not a file" });
      else yield* this.#found(path, onSkipped);
    }
  }

  async *#found(path: RelativePath, onSkipped: (skipped: Skipped) => void): AsyncGenerator<FoundFile> {
    try {
      const found = await lstat(this.#absolute(path));
      if (found.isFile()) yield { path, stat: statOf(found) };
    } catch (error) {
      onSkipped({ path, reason: `cannot be read (${(error as NodeJS.ErrnoException).code ?? "error"})` });
    }
  }

  /** Looks at every step of the path: a link in the middle would lead out of the folder. */
  async #safely(path: RelativePath): Promise<Awaited<ReturnType<typeof lstat>> | undefined> {
    const parts = path.split("/");
    let at = this.root;
    for (const [i, part] of parts.entries()) {
      at = join(at, part);
      const found = await lstat(at).catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
        throw error;
      });
      if (!found) return undefined;
      if (i === parts.length - 1) return found;
      if (!found.isDirectory()) throw unsafe(path);
    }
    return undefined;
  }

  async #makeParents(path: RelativePath): Promise<void> {
    await stat(join(this.root, OWN_FOLDER)).catch(() => {
      throw new FolderError("FOLDER_VANISHED", `${this.root} is no longer what it was. Is its disk connected?`);
    });
    let at = this.root;
    for (const part of path.split("/").slice(0, -1)) {
      at = join(at, part);
      await mkdir(at).catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOSPC") throw diskFull(this.root);
        if (error.code !== "EEXIST") throw error;
      });
      if (!(await lstat(at)).isDirectory()) throw unsafe(path);
    }
  }

  #absolute(path: RelativePath): string {
    return join(this.root, path.replaceAll("/", sep));
  }
}

class DiskReader implements FileReader {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const { bytesRead, buffer } = await this.#handle.read(new Uint8Array(length), 0, length, offset);
    return buffer.subarray(0, bytesRead);
  }

  async stat(): Promise<FileStat> {
    return statOf(await this.#handle.stat());
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

export function statOf(found: {
  size: number | bigint;
  mtimeMs: number | bigint;
  ino: number | bigint;
  mode: number | bigint;
}): FileStat {
  const executable = process.platform !== "win32" && (Number(found.mode) & 0o100) !== 0;
  return { size: Number(found.size), mtimeMs: Math.floor(Number(found.mtimeMs)), inode: Number(found.ino), executable };
}

export function diskFull(root: string): FolderError {
  return new FolderError("DISK_FULL", `The disk of ${root} is full. Make room; syncing goes on by itself.`);
}

/** Makes a rename durable. Not every system can open a directory; those that cannot need it less. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY).catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

export async function removeQuietly(path: string): Promise<void> {
  await unlink(path).catch(() => {});
}

async function exists(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    () => false,
  );
}

function same(a: FileStat, b: FileStat): boolean {
  return a.size === b.size && a.mtimeMs === b.mtimeMs;
}

function nameOf(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

function unreadable(root: string, cause: unknown): FolderError {
  return new FolderError("FOLDER_UNREADABLE", `${root} cannot be read. Check its permissions.`, { cause });
}

function unsafe(path: RelativePath): FolderError {
  return new FolderError(
    "FOLDER_UNSAFE",
    `${path} would lead through a link out of the shared folder; it was left alone.`,
  );
}

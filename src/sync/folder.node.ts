import { constants, openSync } from "node:fs";
import { access, mkdir, opendir, readdir, rename, rm, rmdir, stat, statfs } from "node:fs/promises";
import { join, resolve } from "node:path";
import { diskFull, look, statOf, syncDirectory, withDisk } from "./disk.node.js";
import { DiskReader } from "./diskReader.node.js";
import { type FileStat, type Folder, FolderError, type FoundFile, type Incoming, type Skipped } from "./folder.js";
import { IncomingFile } from "./incomingFile.node.js";
import { isRelativePath, OWN_FOLDER, parseRelativePath, type RelativePath } from "./relativePath.js";
import { inTheWay, SafePaths, unsafe, vanished } from "./safePath.node.js";
import { moveToTrash, removeEmptyParents } from "./trash.node.js";
import { Turns } from "./turns.node.js";

/** Files larger than this are not begun when the disk has no room for them. */
const LARGE = 1024 * 1024;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** A directory on this computer as a shared folder. PROTOCOL.md §5, §6. */
export class DiskFolder implements Folder {
  readonly root: string;
  readonly ignoresCase: boolean;
  readonly #writable: boolean;
  readonly #paths: SafePaths;
  readonly #turns: Turns = new Turns();

  private constructor(root: string, writable: boolean, ignoresCase: boolean) {
    this.root = root;
    this.#paths = new SafePaths(root);
    this.#writable = writable;
    this.ignoresCase = ignoresCase;
  }

  /** Checks that the directory can be used. Throws FolderError. */
  static async open(path: string, options: { readonly writable: boolean }): Promise<DiskFolder> {
    const root = resolve(path);
    const found = await stat(root).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT")
        throw new FolderError("FOLDER_MISSING", `There is no folder ${root}. Create it, or check how it is written.`);
      throw unreadable(root, error);
    });
    if (!found.isDirectory())
      throw new FolderError("FOLDER_NOT_A_DIRECTORY", `${root} is a file, not a folder. Name a folder.`);
    const directory = await opendir(root).catch((error: unknown) => {
      throw unreadable(root, error);
    });
    await directory.close();
    if (options.writable) {
      await access(root, constants.W_OK).catch((cause: unknown) => {
        throw new FolderError("FOLDER_UNREADABLE", `${root} cannot be written to. Check its permissions.`, { cause });
      });
      // What a crash left behind.
      await rm(join(root, OWN_FOLDER, "tmp"), { recursive: true, force: true });
    }
    return new DiskFolder(root, options.writable, ignoresCase(root));
  }

  async *scan(onSkipped: (skipped: Skipped) => void): AsyncGenerator<FoundFile> {
    yield* this.#walk("", onSkipped);
  }

  async stat(path: RelativePath): Promise<FileStat | undefined> {
    await this.#turns.next();
    const found = this.#paths.look(path);
    return found?.isFile() ? statOf(found) : undefined;
  }

  async hash(path: RelativePath): Promise<{ hash: Uint8Array; stat: FileStat } | undefined> {
    const reader = await this.open(path);
    try {
      return await reader?.hash();
    } finally {
      await reader?.close();
    }
  }

  async open(path: RelativePath): Promise<DiskReader | undefined> {
    await this.#turns.next();
    if (!this.#paths.look(path)?.isFile()) return undefined;
    try {
      const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0);
      return new DiskReader(openSync(this.#paths.absolute(path), flags));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" || code === "ELOOP") return undefined;
      throw error;
    }
  }

  async receive(path: RelativePath, size: number): Promise<Incoming> {
    await this.#turns.next();
    await this.#paths.makeParents(path);
    const found = look(this.#paths.absolute(path));
    if (found?.isDirectory())
      await rmdir(this.#paths.absolute(path)).catch(() => {
        throw inTheWay(path, path);
      });
    else if (found && !found.isFile()) throw unsafe(path);
    if (size > LARGE) {
      const { bavail, bsize } = await statfs(this.root);
      if (bavail * bsize < size) throw diskFull(this.root);
    }
    return await IncomingFile.open(this.root, path);
  }

  async trash(path: RelativePath): Promise<void> {
    const found = this.#paths.look(path);
    if (!found) return;
    if (!found.isFile()) throw unsafe(path);
    await withDisk(this.root, () => moveToTrash(this.root, path));
    await removeEmptyParents(this.root, path);
    this.#paths.forget();
  }

  async isOurs(): Promise<boolean> {
    return look(join(this.root, OWN_FOLDER))?.isDirectory() ?? false;
  }

  async claim(): Promise<void> {
    if (this.#writable) await withDisk(this.root, () => mkdir(join(this.root, OWN_FOLDER), { recursive: true }));
  }

  async rename(from: RelativePath, to: RelativePath): Promise<void> {
    await this.#paths.makeParents(to);
    if (look(this.#paths.absolute(to))) throw inTheWay(to, to);
    await rename(this.#paths.absolute(from), this.#paths.absolute(to));
    await syncDirectory(join(this.#paths.absolute(to), ".."));
  }

  async *#walk(folder: string, onSkipped: (skipped: Skipped) => void): AsyncGenerator<FoundFile> {
    const entries = await readdir(join(this.root, folder), { encoding: "buffer", withFileTypes: true }).catch(
      (error: NodeJS.ErrnoException) => {
        // The root itself must be there; below it, what cannot be read is left out and the rest goes on.
        if (folder === "") throw error.code === "ENOENT" ? vanished(this.root) : unreadable(this.root, error);
        onSkipped({ path: folder, reason: `cannot be read (${error.code ?? "error"})` });
        return [];
      },
    );
    for (const entry of entries) {
      const bytes = entry.name as unknown as Uint8Array;
      const name = nameOf(bytes);
      const shown = `${folder}${name ?? new TextDecoder().decode(bytes)}`;
      if (folder === "" && name === OWN_FOLDER) continue;
      const path = name === undefined ? undefined : parseRelativePath(shown);
      if (path === undefined) onSkipped({ path: printable(shown), reason: "its name is not valid UTF-8" });
      else if (!isRelativePath(path))
        onSkipped({ path: printable(shown), reason: `its name cannot be used everywhere: ${path.refused}` });
      else if (entry.isDirectory()) yield* this.#walk(`${shown}/`, onSkipped);
      else if (!entry.isFile()) onSkipped({ path: shown, reason: "it is a link or a device, not a file" });
      else yield* this.#found(path, onSkipped);
    }
  }

  async *#found(path: RelativePath, onSkipped: (skipped: Skipped) => void): AsyncGenerator<FoundFile> {
    await this.#turns.next();
    try {
      const found = look(this.#paths.absolute(path));
      if (found?.isFile()) yield { path, stat: statOf(found) };
    } catch (error) {
      onSkipped({ path, reason: `cannot be read (${(error as NodeJS.ErrnoException).code ?? "error"})` });
    }
  }
}

/** Asks the disk by looking for something that is there under another spelling. */
function ignoresCase(root: string): boolean {
  try {
    if (look(join(root, OWN_FOLDER))) return look(join(root, OWN_FOLDER.toUpperCase())) !== undefined;
  } catch {
    // As unknown as without it.
  }
  return process.platform === "win32" || process.platform === "darwin";
}

/** A name must not move the cursor of whoever reads it, nor turn the text around. */
function printable(name: string): string {
  return name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\ufffd");
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

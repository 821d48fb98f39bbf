import { createHash, type Hash, randomBytes } from "node:crypto";
import {
  closeSync,
  fchmodSync,
  ftruncateSync,
  futimesSync,
  mkdirSync,
  openSync,
  renameSync,
  unlinkSync,
  write,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { look, statOf, syncDirectory, syncFile, withDisk } from "./disk.node.js";
import { type FileStat, FolderError, type Incoming } from "./folder.js";
import { OWN_FOLDER, type RelativePath } from "./relativePath.js";
import { vanished } from "./safePath.node.js";
import { moveToTrash } from "./trash.node.js";

/** Names of temporary files: no other program that uses the same folder has them. */
const RUN = randomBytes(8).toString("hex");
let opened = 0;
/** So much goes to the disk's cache at once, without the thread pool. */
const SHORT = 64 * 1024;
const writeLong = promisify(write);

/** A temporary file that becomes the real one in one step: written, synced, renamed, directory synced. PROTOCOL.md §5. */
export class IncomingFile implements Incoming {
  readonly #root: string;
  readonly #path: RelativePath;
  readonly #temporary: string;
  /** Undefined once it is closed: the system gives the number to another file then. */
  #descriptor: number | undefined;
  #hash: Hash = createHash("sha256");
  #offset = 0;
  #writing: Promise<void> = Promise.resolve();

  private constructor(root: string, path: RelativePath, temporary: string, descriptor: number) {
    this.#root = root;
    this.#path = path;
    this.#temporary = temporary;
    this.#descriptor = descriptor;
  }

  static async open(root: string, path: RelativePath): Promise<IncomingFile> {
    const temporary = join(root, OWN_FOLDER, "tmp", `${RUN}-${opened++}`);
    return await withDisk(root, () => new IncomingFile(root, path, temporary, openTemporary(root, temporary)));
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    const at = this.#offset;
    this.#offset += bytes.length;
    const written = withDisk(this.#root, () => writeAll(this.#open, bytes, at));
    this.#writing = written.catch(() => {});
    await written;
  }

  async restart(): Promise<void> {
    this.#hash = createHash("sha256");
    this.#offset = 0;
    ftruncateSync(this.#open, 0);
  }

  digest(): Uint8Array {
    return new Uint8Array(this.#hash.copy().digest());
  }

  async commit(meta: { readonly mtimeMs: number; readonly executable: boolean }): Promise<FileStat> {
    return await withDisk(this.#root, async () => {
      if (meta.executable && process.platform !== "win32") fchmodSync(this.#open, 0o777 & ~process.umask());
      // A little more than the millisecond, or rounding on the way to the disk would show the one before.
      const seconds = (meta.mtimeMs + 0.01) / 1000;
      futimesSync(this.#open, seconds, seconds);
      await syncFile(this.#open);
      this.#close();
      const target = join(this.#root, this.#path);
      const old = look(target);
      if (old?.isFile()) await moveToTrash(this.#root, this.#path);
      else if (old)
        throw new FolderError("FOLDER_UNSAFE", `${this.#path} has become something else; it was left alone.`);
      renameSync(this.#temporary, target);
      await syncDirectory(dirname(target));
      const now = look(target);
      if (!now) throw new FolderError("FILE_CHANGING", `${this.#path} was taken away at once.`);
      return statOf(now);
    });
  }

  async discard(): Promise<void> {
    await this.#writing;
    try {
      this.#close();
      unlinkSync(this.#temporary);
    } catch {
      // Gone, or its disk is. The next start empties the place.
    }
  }

  get #open(): number {
    if (this.#descriptor === undefined) throw new Error("the file is closed");
    return this.#descriptor;
  }

  #close(): void {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function openTemporary(root: string, temporary: string): number {
  try {
    return openSync(temporary, "wx", 0o666);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  try {
    // Not recursively: where a disk is missing, its mount point must stay empty.
    mkdirSync(dirname(temporary));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") throw vanished(root);
    if (code !== "EEXIST") throw cause;
  }
  return openSync(temporary, "wx", 0o666);
}

async function writeAll(descriptor: number, bytes: Uint8Array, offset: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const left = bytes.length - written;
    written +=
      left <= SHORT
        ? writeSync(descriptor, bytes, written, left, offset + written)
        : (await writeLong(descriptor, bytes, written, left, offset + written)).bytesWritten;
  }
}

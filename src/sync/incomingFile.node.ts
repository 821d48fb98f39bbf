import { createHash, type Hash, randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, rename, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { look, statOf, syncDirectory, withDisk } from "./disk.node.js";
import { type FileStat, FolderError, type Incoming } from "./folder.js";
import { OWN_FOLDER, type RelativePath } from "./relativePath.js";
import { vanished } from "./safePath.node.js";
import { moveToTrash } from "./trash.node.js";

/** Names of temporary files: no other program that uses the same folder has them. */
const RUN = randomBytes(8).toString("hex");
let opened = 0;

/** A temporary file that becomes the real one in one step: written, synced, renamed, directory synced. PROTOCOL.md §5. */
export class IncomingFile implements Incoming {
  readonly #root: string;
  readonly #path: RelativePath;
  readonly #temporary: string;
  readonly #handle: FileHandle;
  #hash: Hash = createHash("sha256");
  #offset = 0;

  private constructor(root: string, path: RelativePath, temporary: string, handle: FileHandle) {
    this.#root = root;
    this.#path = path;
    this.#temporary = temporary;
    this.#handle = handle;
  }

  static async open(root: string, path: RelativePath): Promise<IncomingFile> {
    const folder = join(root, OWN_FOLDER, "tmp");
    const temporary = join(folder, `${RUN}-${opened++}`);
    return await withDisk(root, async () => {
      const handle = await open(temporary, "wx", 0o666).catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw error;
        // Not recursively: where a disk is missing, its mount point must stay empty.
        await mkdir(folder).catch((cause: NodeJS.ErrnoException) => {
          if (cause.code === "ENOENT") throw vanished(root);
          if (cause.code !== "EEXIST") throw cause;
        });
        return await open(temporary, "wx", 0o666);
      });
      return new IncomingFile(root, path, temporary, handle);
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    await withDisk(this.#root, async () => {
      let written = 0;
      while (written < bytes.length) {
        const left = bytes.length - written;
        const { bytesWritten } = await this.#handle.write(bytes, written, left, this.#offset + written);
        written += bytesWritten;
      }
    });
    this.#offset += bytes.length;
  }

  async restart(): Promise<void> {
    this.#hash = createHash("sha256");
    this.#offset = 0;
    await this.#handle.truncate(0);
  }

  digest(): Uint8Array {
    return new Uint8Array(this.#hash.copy().digest());
  }

  async commit(meta: { readonly mtimeMs: number; readonly executable: boolean }): Promise<FileStat> {
    return await withDisk(this.#root, async () => {
      if (meta.executable && process.platform !== "win32") await this.#handle.chmod(0o777 & ~process.umask());
      // A little more than the millisecond, or rounding on the way to the disk would show the one before.
      const seconds = (meta.mtimeMs + 0.01) / 1000;
      await this.#handle.utimes(seconds, seconds);
      await this.#handle.sync();
      await this.#handle.close();
      const target = join(this.#root, this.#path);
      const old = await look(target);
      if (old?.isFile()) await moveToTrash(this.#root, this.#path);
      else if (old)
        throw new FolderError("FOLDER_UNSAFE", `${this.#path} has become something else; it was left alone.`);
      await rename(this.#temporary, target);
      await syncDirectory(dirname(target));
      const now = await look(target);
      if (!now) throw new FolderError("FILE_CHANGING", `${this.#path} was taken away at once.`);
      return statOf(now);
    });
  }

  async discard(): Promise<void> {
    await this.#handle.close().catch(() => {});
    await unlink(this.#temporary).catch(() => {});
  }
}

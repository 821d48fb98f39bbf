import { createHash, type Hash, randomBytes } from "node:crypto";
import { type FileHandle, lstat, mkdir, open, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { FileStat, Incoming } from "./folder.js";
import { diskFull, removeQuietly, statOf, syncDirectory } from "./folder.node.js";
import { OWN_FOLDER } from "./relativePath.js";

interface Place {
  readonly root: string;
  readonly target: string;
  /** Puts what is at the target out of the way. */
  readonly trash: () => Promise<void>;
}

/** A temporary file that becomes the real one in one step: written, synced, renamed, directory synced. PROTOCOL.md §5. */
export class IncomingFile implements Incoming {
  readonly #place: Place;
  readonly #temporary: string;
  readonly #handle: FileHandle;
  readonly #hash: Hash = createHash("sha256");
  #offset = 0;

  private constructor(place: Place, temporary: string, handle: FileHandle) {
    this.#place = place;
    this.#temporary = temporary;
    this.#handle = handle;
  }

  static async open(place: Place): Promise<IncomingFile> {
    const folder = join(place.root, OWN_FOLDER, "tmp");
    const temporary = join(folder, randomBytes(8).toString("hex"));
    return await withDisk(place.root, async () => {
      await mkdir(folder, { recursive: true });
      return new IncomingFile(place, temporary, await open(temporary, "wx", 0o666));
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    await withDisk(this.#place.root, async () => {
      let written = 0;
      while (written < bytes.length) {
        const { bytesWritten } = await this.#handle.write(
          bytes,
          written,
          bytes.length - written,
          this.#offset + written,
        );
        written += bytesWritten;
      }
    });
    this.#offset += bytes.length;
  }

  digest(): Uint8Array {
    return new Uint8Array(this.#hash.copy().digest());
  }

  async commit(meta: { readonly mtimeMs: number; readonly executable: boolean }): Promise<FileStat> {
    const { root, target, trash } = this.#place;
    return await withDisk(root, async () => {
      if (meta.executable && process.platform !== "win32") await this.#handle.chmod(0o777 & ~process.umask());
      await this.#handle.utimes(meta.mtimeMs / 1000, meta.mtimeMs / 1000);
      await this.#handle.sync();
      await this.#handle.close();
      await trash();
      await rename(this.#temporary, target);
      await syncDirectory(dirname(target));
      return statOf(await lstat(target));
    });
  }

  async discard(): Promise<void> {
    await this.#handle.close().catch(() => {});
    await removeQuietly(this.#temporary);
  }
}

async function withDisk<T>(root: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw code === "ENOSPC" || code === "EDQUOT" ? diskFull(root) : error;
  }
}

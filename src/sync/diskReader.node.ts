import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { statOf } from "./disk.node.js";
import type { FileReader, FileStat } from "./folder.js";

const CHUNK = 1024 * 1024;

export class DiskReader implements FileReader {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const { bytesRead, buffer } = await this.#handle.read(Buffer.allocUnsafeSlow(length), 0, length, offset);
    return buffer.subarray(0, bytesRead);
  }

  async stat(): Promise<FileStat> {
    return statOf(await this.#handle.stat());
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  /** SHA-256 of the whole; undefined when it changed meanwhile. */
  async hash(): Promise<{ hash: Uint8Array; stat: FileStat } | undefined> {
    const before = await this.stat();
    const hash = createHash("sha256");
    const buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK, before.size));
    // Not to the end but to the size: a file that grows as fast as it is read would never end.
    for (let offset = 0; offset < before.size; ) {
      const { bytesRead } = await this.#handle.read(buffer, 0, Math.min(buffer.length, before.size - offset), offset);
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(0, bytesRead));
      offset += bytesRead;
    }
    const after = await this.stat();
    return isUnchanged(before, after) ? { hash: new Uint8Array(hash.digest()), stat: after } : undefined;
  }
}

/** Read, and not written meanwhile. */
function isUnchanged(a: FileStat, b: FileStat): boolean {
  return a.size === b.size && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs;
}

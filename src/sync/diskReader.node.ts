import { createHash, hash as hashOf } from "node:crypto";
import { closeSync, fstatSync, read, readSync } from "node:fs";
import { promisify } from "node:util";
import { statOf } from "./disk.node.js";
import type { FileReader, FileStat } from "./folder.js";

const CHUNK = 1024 * 1024;
/** So much is read at once, without the thread pool. */
const SHORT = 64 * 1024;
const readLong = promisify(read);

export class DiskReader implements FileReader {
  readonly #descriptor: number;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    return await this.#readInto(Buffer.allocUnsafeSlow(length), offset);
  }

  async stat(): Promise<FileStat> {
    return statOf(fstatSync(this.#descriptor));
  }

  async close(): Promise<void> {
    closeSync(this.#descriptor);
  }

  /** SHA-256 of the whole; undefined when it changed meanwhile. */
  async hash(): Promise<{ hash: Uint8Array; stat: FileStat } | undefined> {
    const before = await this.stat();
    const hash = await this.#hash(before.size);
    const after = await this.stat();
    return isUnchanged(before, after) ? { hash, stat: after } : undefined;
  }

  async #hash(size: number): Promise<Uint8Array> {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK, size));
    if (size <= SHORT) return new Uint8Array(hashOf("sha256", await this.#readInto(buffer, 0), "buffer"));
    const hash = createHash("sha256");
    // Not to the end but to the size: a file that grows as fast as it is read would never end.
    for (let offset = 0; offset < size; ) {
      const bytes = await this.#readInto(buffer.subarray(0, size - offset), offset);
      if (bytes.length === 0) break;
      hash.update(bytes);
      offset += bytes.length;
    }
    return new Uint8Array(hash.digest());
  }

  async #readInto(buffer: Uint8Array, offset: number): Promise<Uint8Array> {
    const { length } = buffer;
    const bytesRead =
      length <= SHORT
        ? readSync(this.#descriptor, buffer, 0, length, offset)
        : (await readLong(this.#descriptor, buffer, 0, length, offset)).bytesRead;
    return buffer.subarray(0, bytesRead);
  }
}

/** Read, and not written meanwhile. */
function isUnchanged(a: FileStat, b: FileStat): boolean {
  return a.size === b.size && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs;
}

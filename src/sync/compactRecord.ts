import { type FileRecord, NO_HASH } from "./record.js";
import type { VersionVector } from "./versionVector.js";

const HASH = 32;
/** Few, because one that is in use keeps its slab. */
const HASHES_PER_SLAB = 64;

/**
 * Makes records small that are kept for long: hashes lie side by side instead of each in a buffer of its own, and a version
 * that many files have, as after one scan, is there once.
 */
export class RecordCompactor {
  #slab: Uint8Array = new Uint8Array(0);
  #used = 0;
  readonly #slabs = new WeakSet<ArrayBufferLike>();
  #version: VersionVector | undefined;
  #by = "";

  compact(record: FileRecord): FileRecord {
    if (record.by !== this.#by) this.#by = record.by;
    if (!this.#version || !sameVersion(this.#version, record.version)) this.#version = record.version;
    const hash = record.deleted ? NO_HASH : this.#kept(record.hash);
    return { ...record, hash, version: this.#version, by: this.#by };
  }

  #kept(hash: Uint8Array): Uint8Array {
    // A record that comes back, changed a little.
    if (this.#slabs.has(hash.buffer)) return hash;
    if (this.#used === this.#slab.length) {
      this.#slab = new Uint8Array(HASH * HASHES_PER_SLAB);
      this.#slabs.add(this.#slab.buffer);
      this.#used = 0;
    }
    const kept = this.#slab.subarray(this.#used, this.#used + HASH);
    kept.set(hash);
    this.#used += HASH;
    return kept;
  }
}

function sameVersion(a: VersionVector, b: VersionVector): boolean {
  if (a.size !== b.size) return false;
  for (const [device, count] of a) if (b.get(device) !== count) return false;
  return true;
}

import { WireError } from "./errors.js";

/** How much of a stranger's CBOR is looked at. */
export interface CborLimits {
  /** Bytes of the whole item. */
  readonly bytes: number;
  /** Arrays and maps inside one another. */
  readonly depth: number;
  /** All items together, map keys included. */
  readonly items: number;
}

/** Major types, RFC 8949 §3.1. */
const UNSIGNED = 0;
const NEGATIVE = 1;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;
const SIMPLE = 7;
const FALSE = 20;
const NULL = 22;

/** Throws WireError unless `bytes` is exactly one item in deterministic encoding within `limits`. */
export function scanCbor(bytes: Uint8Array, limits: CborLimits): void {
  if (bytes.length > limits.bytes) throw new WireError("a CBOR item is too large");
  const scan = new Scan(bytes, limits);
  scan.item(0);
  if (scan.offset !== bytes.length) throw new WireError("bytes after the end of a CBOR item");
}

class Scan {
  offset = 0;
  readonly #bytes: Uint8Array;
  readonly #limits: CborLimits;
  #items = 0;

  constructor(bytes: Uint8Array, limits: CborLimits) {
    this.#bytes = bytes;
    this.#limits = limits;
  }

  item(depth: number): void {
    const { major, value } = this.#head();
    switch (major) {
      case UNSIGNED:
      case NEGATIVE:
        return;
      case BYTES:
        this.#skip(value);
        return;
      case TEXT:
        this.#text(value);
        return;
      case ARRAY:
        this.#nested(depth);
        for (let i = 0; i < value; i++) this.item(depth + 1);
        return;
      case MAP:
        this.#nested(depth);
        this.#map(value, depth);
        return;
      default:
        // Tags are refused by #head; of the simple values false, true and null are ours.
        if (value < FALSE || value > NULL) throw new WireError("a CBOR value that is not allowed");
    }
  }

  #map(entries: number, depth: number): void {
    let previous = -1;
    for (let i = 0; i < entries; i++) {
      const key = this.#head();
      if (key.major !== UNSIGNED || key.value <= previous) throw new WireError("CBOR map keys that are not in order");
      previous = key.value;
      this.item(depth + 1);
    }
  }

  #head(): { major: number; value: number } {
    if (++this.#items > this.#limits.items) throw new WireError("too many CBOR items");
    const first = this.#byte();
    const major = first >> 5;
    const info = first & 31;
    if (major === 6) throw new WireError("a CBOR tag");
    if (info < 24) return { major, value: info };
    if (major === SIMPLE || info > 27) throw new WireError("a CBOR float or indefinite length");
    const length = 1 << (info - 24);
    let value = 0;
    for (let i = 0; i < length; i++) value = value * 256 + this.#byte();
    // RFC 8949 §4.2.1: the shortest form only. The smallest value that needs so many bytes:
    const least = length === 1 ? 24 : 256 ** (length / 2);
    if (value < least) throw new WireError("a CBOR number that is not in its shortest form");
    if (!Number.isSafeInteger(value)) throw new WireError("a CBOR number above 2^53-1");
    return { major, value };
  }

  #text(length: number): void {
    const start = this.offset;
    this.#skip(length);
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(this.#bytes.subarray(start, this.offset));
    } catch {
      throw new WireError("CBOR text that is not UTF-8");
    }
  }

  #nested(depth: number): void {
    if (depth >= this.#limits.depth) throw new WireError("CBOR that is nested too deep");
  }

  #skip(length: number): void {
    if (length > this.#bytes.length - this.offset) throw new WireError("CBOR that ends too early");
    this.offset += length;
  }

  #byte(): number {
    const byte = this.#bytes[this.offset];
    if (byte === undefined) throw new WireError("CBOR that ends too early");
    this.offset++;
    return byte;
  }
}

import { WireError } from "./errors.js";

// RFC 9000 §16. Values above 2^53-1 are refused: they do not fit a JavaScript number and nothing here counts that far.
const TWO_32 = 0x1_0000_0000;

/** Bytes that `value` takes: 1, 2, 4 or 8. `value`: integer, 0 to 2^53-1. */
export function varintLength(value: number): 1 | 2 | 4 | 8 {
  if (value < 0x40) return 1;
  if (value < 0x4000) return 2;
  return value < 0x4000_0000 ? 4 : 8;
}

/** Sequential writer over a caller's buffer. Overrunning the buffer is our bug and throws RangeError. */
export class ByteWriter {
  bytes: Uint8Array;
  /** Where the first byte went. */
  start: number;
  offset: number;
  end: number;

  constructor(bytes: Uint8Array, offset = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.start = offset;
    this.offset = offset;
    this.end = end;
  }

  /** Goes on in another buffer. */
  reset(bytes: Uint8Array, offset: number, end: number): void {
    this.bytes = bytes;
    this.start = offset;
    this.offset = offset;
    this.end = end;
  }

  /** Zero bytes up to `offset`, unless it is passed already. */
  pad(offset: number): void {
    if (offset <= this.offset) return;
    this.bytes.fill(0, this.offset, this.offset + this.#room(offset - this.offset));
    this.offset = offset;
  }

  get remaining(): number {
    return this.end - this.offset;
  }

  u8(value: number): void {
    this.bytes[this.#advance(1)] = value;
  }

  u16(value: number): void {
    const at = this.#advance(2);
    this.bytes[at] = value >>> 8;
    this.bytes[at + 1] = value;
  }

  u32(value: number): void {
    const at = this.#advance(4);
    this.bytes[at] = value >>> 24;
    this.bytes[at + 1] = value >>> 16;
    this.bytes[at + 2] = value >>> 8;
    this.bytes[at + 3] = value;
  }

  put(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.#advance(bytes.length));
  }

  varint(value: number): void {
    if (value < 0x40) this.u8(value);
    else if (value < 0x4000) this.u16(value | 0x4000);
    else if (value < 0x4000_0000) this.u32((value | 0x8000_0000) >>> 0);
    else {
      if (!Number.isSafeInteger(value)) throw new RangeError(`varint: ${value} is not a safe integer`);
      this.u32((Math.floor(value / TWO_32) | 0xc000_0000) >>> 0);
      this.u32((value % TWO_32) >>> 0);
    }
  }

  /** What has been written so far, as a view. */
  written(): Uint8Array {
    return this.bytes.subarray(this.start, this.offset);
  }

  #advance(length: number): number {
    const at = this.offset;
    this.offset = at + this.#room(length);
    return at;
  }

  #room(length: number): number {
    if (this.offset + length > this.end)
      throw new RangeError(`writer: ${length} bytes do not fit in ${this.end - this.offset}`);
    return length;
  }
}

/** Sequential reader over a peer's bytes. Every overrun is a WireError. `take` returns views: copy what is kept. */
export class ByteReader {
  readonly bytes: Uint8Array;
  offset: number;

  constructor(bytes: Uint8Array, offset = 0) {
    this.bytes = bytes;
    this.offset = offset;
  }

  get remaining(): number {
    return this.bytes.length - this.offset;
  }

  u8(): number {
    const value = this.bytes[this.offset];
    if (value === undefined) throw new WireError("the datagram ends too early");
    this.offset++;
    return value;
  }

  u16(): number {
    return this.u8() * 0x100 + this.u8();
  }

  u32(): number {
    return this.u16() * 0x1_0000 + this.u16();
  }

  take(length: number): Uint8Array {
    if (length > this.remaining) throw new WireError("a length points past the end of the datagram");
    const view = this.bytes.subarray(this.offset, this.offset + length);
    this.offset += length;
    return view;
  }

  varint(): number {
    const first = this.u8();
    switch (first >> 6) {
      case 0:
        return first;
      case 1:
        return (first & 0x3f) * 0x100 + this.u8();
      case 2:
        return ((first & 0x3f) * 0x100 + this.u8()) * 0x1_0000 + this.u16();
      default: {
        const high = ((first & 0x3f) * 0x100 + this.u8()) * 0x1_0000 + this.u16();
        const value = high * TWO_32 + this.u32();
        if (high > 0x1f_ffff) throw new WireError("a varint is larger than 2^53-1");
        return value;
      }
    }
  }
}

import { TRANSPORT_ERROR, TransportError } from "./errors.js";

const MAX_GAPS = 1000;
/** A small piece of a big packet is copied, so that it does not keep the packet in memory. */
const COPY_BELOW = 0.5;

interface Piece {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * Puts the bytes of one ordered stream back in order. Where pieces overlap, the first that came is kept.
 * The caller has already checked the end of every piece against flow control, so memory is bounded by that window.
 */
export class Reassembly {
  /** Out of order pieces, sorted, disjoint, all above `#head`. */
  readonly #pieces: Piece[] = [];
  readonly #ready: Uint8Array[] = [];
  #readyBytes = 0;
  /** Offset of the first byte that has not arrived in order. */
  #head = 0;
  #read = 0;

  /** Everything below has arrived. */
  get contiguous(): number {
    return this.#head;
  }

  /** Bytes that `take` can give now. */
  get available(): number {
    return this.#readyBytes;
  }

  /** Bytes given out so far. */
  get consumed(): number {
    return this.#read;
  }

  insert(offset: number, bytes: Uint8Array): void {
    const skip = Math.max(0, this.#head - offset);
    if (skip >= bytes.length) return;
    const piece = { offset: offset + skip, bytes: own(bytes.subarray(skip)) };
    if (piece.offset === this.#head && this.#pieces.length === 0) {
      this.#append(piece.bytes);
      return;
    }
    this.#keep(piece);
    this.#join();
  }

  /** The next bytes in order, one piece at a time up to `most` bytes joined; undefined when there are none. */
  take(most: number): Uint8Array | undefined {
    const first = this.#ready[0];
    if (!first) return undefined;
    let count = 1;
    let total = first.length;
    for (; count < this.#ready.length; count++) {
      const length = this.#ready[count]?.length ?? 0;
      if (total + length > most) break;
      total += length;
    }
    const parts = this.#ready.splice(0, count);
    this.#readyBytes -= total;
    this.#read += total;
    return parts.length === 1 ? first : joined(parts, total);
  }

  clear(): void {
    this.#pieces.length = 0;
    this.#ready.length = 0;
    this.#readyBytes = 0;
  }

  #append(bytes: Uint8Array): void {
    this.#ready.push(bytes);
    this.#readyBytes += bytes.length;
    this.#head += bytes.length;
  }

  #keep(piece: Piece): void {
    let at = this.#pieces.length;
    while (at > 0 && (this.#pieces[at - 1]?.offset ?? 0) > piece.offset) at--;
    const before = this.#pieces[at - 1];
    let start = piece.offset;
    if (before) start = Math.max(start, before.offset + before.bytes.length);
    const end = piece.offset + piece.bytes.length;
    // Fill only the holes that this piece covers.
    const fresh: Piece[] = [];
    let covered = 0;
    while (start < end) {
      const next = this.#pieces[at + covered];
      const stop = Math.min(end, next?.offset ?? end);
      if (stop > start)
        fresh.push({ offset: start, bytes: piece.bytes.subarray(start - piece.offset, stop - piece.offset) });
      if (!next || next.offset >= end) break;
      fresh.push(next);
      covered++;
      start = next.offset + next.bytes.length;
    }
    this.#pieces.splice(at, covered, ...fresh);
    // RFC 9000 §21.7: a peer that sends every second byte must not make the list grow without end.
    if (this.#pieces.length > MAX_GAPS)
      throw new TransportError(TRANSPORT_ERROR.PROTOCOL_VIOLATION, "The peer sent a stream in too many pieces.");
  }

  #join(): void {
    let count = 0;
    for (const piece of this.#pieces) {
      if (piece.offset !== this.#head) break;
      this.#append(piece.bytes);
      count++;
    }
    if (count > 0) this.#pieces.splice(0, count);
  }
}

function own(bytes: Uint8Array): Uint8Array {
  return bytes.length < bytes.buffer.byteLength * COPY_BELOW ? bytes.slice() : bytes;
}

function joined(parts: readonly Uint8Array[], total: number): Uint8Array {
  const out = new Uint8Array(total);
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

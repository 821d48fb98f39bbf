/** Smaller pieces are copied together: each would cost more to keep than its bytes. */
const SMALL = 512;
/** They start small: a peer can make us keep a thousand pieces of one byte. */
const FIRST_SLAB = 64;
const SLAB = 2048;
/** A piece of a much bigger packet is copied, so that it does not keep the packet in memory. */
const COPY_BELOW = 0.5;
/** What a piece costs beside its bytes: the view, its buffer, their places in lists. */
export const PIECE_COST = 192;

/** Byte strings in order, taken from the front. What is held in memory is about what is counted. */
export class Pieces {
  readonly #list: Uint8Array[] = [];
  #bytes = 0;
  #held = 0;
  /** The last piece is a view of the first `#used` bytes of this. */
  #slab: Uint8Array | undefined;
  #used = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of memory that are kept for them. */
  get held(): number {
    return this.#held;
  }

  push(piece: Uint8Array): void {
    this.#bytes += piece.length;
    if (piece.length < SMALL) this.#pushSmall(piece);
    else {
      const kept = piece.length < piece.buffer.byteLength * COPY_BELOW ? piece.slice() : piece;
      this.#list.push(kept);
      this.#held += costOf(kept);
      this.#slab = undefined;
    }
  }

  /** Moves all pieces of `other` behind ours. */
  append(other: Pieces): void {
    for (const piece of other.#list) this.#list.push(piece);
    this.#bytes += other.#bytes;
    this.#held += other.#held;
    this.#slab = other.#slab;
    this.#used = other.#used;
  }

  /** The first piece, with those behind it as long as they fit in `most` bytes. */
  take(most: number): Uint8Array | undefined {
    const first = this.#list[0];
    if (!first) return undefined;
    let count = 1;
    let total = first.length;
    for (; count < this.#list.length; count++) {
      const length = this.#list[count]?.length ?? 0;
      if (total + length > most) break;
      total += length;
    }
    const parts = this.#list.splice(0, count);
    this.#bytes -= total;
    for (const part of parts) this.#held -= costOf(part);
    if (this.#list.length === 0) this.#slab = undefined;
    return parts.length === 1 ? first : joined(parts, total);
  }

  clear(): void {
    this.#list.length = 0;
    this.#bytes = 0;
    this.#held = 0;
    this.#slab = undefined;
  }

  #pushSmall(piece: Uint8Array): void {
    const slab = this.#slab;
    if (slab && this.#used + piece.length <= slab.length) {
      slab.set(piece, this.#used);
      this.#used += piece.length;
      this.#list[this.#list.length - 1] = slab.subarray(0, this.#used);
      return;
    }
    const size = Math.min(SLAB, Math.max(FIRST_SLAB, 2 * (slab?.length ?? 0)));
    this.#slab = new Uint8Array(Math.max(size, piece.length));
    this.#slab.set(piece);
    this.#used = piece.length;
    const first = this.#slab.subarray(0, this.#used);
    this.#list.push(first);
    this.#held += costOf(first);
  }
}

function costOf(piece: Uint8Array): number {
  return piece.buffer.byteLength + PIECE_COST;
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

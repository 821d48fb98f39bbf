import { TRANSPORT_ERROR, TransportError } from "./errors.js";
import { PIECE_COST, Pieces } from "./pieces.js";

const MAX_RUNS = 1000;
const RUN_COST = 256;

/** Bytes that arrived without a hole between them, somewhere above the head. */
interface Run {
  readonly start: number;
  end: number;
  readonly pieces: Pieces;
}

/**
 * Puts the bytes of one ordered stream back in order. Where pieces overlap, the first that came is kept.
 * The caller has already checked the end of every piece against flow control, and asked whether there is memory for it.
 */
export class Reassembly {
  /** Out of order bytes, sorted, disjoint, all above `#head`: as many runs as there are holes. */
  readonly #runs: Run[] = [];
  readonly #ready = new Pieces();
  /** Offset of the first byte that has not arrived in order. */
  #head = 0;
  #read = 0;
  /** Of the runs. */
  #held = 0;

  /** Everything below has arrived. */
  get contiguous(): number {
    return this.#head;
  }

  /** Bytes that `take` can give now. */
  get available(): number {
    return this.#ready.bytes;
  }

  /** Bytes given out so far. */
  get consumed(): number {
    return this.#read;
  }

  /** Bytes of memory that are kept. */
  get held(): number {
    return this.#ready.held + this.#held;
  }

  /** The most that a piece of `bytes` bytes, which may be part of a packet of twice the size, is expected to cost. */
  static cost(bytes: number): number {
    return 2 * bytes + PIECE_COST + RUN_COST;
  }

  insert(offset: number, bytes: Uint8Array): void {
    const skip = Math.max(0, this.#head - offset);
    if (skip >= bytes.length) return;
    if (offset + skip === this.#head && this.#runs.length === 0) {
      this.#ready.push(bytes.subarray(skip));
      this.#head += bytes.length - skip;
      return;
    }
    this.#fillHoles(offset, skip, bytes);
    this.#join();
  }

  /** The next bytes in order, pieces joined up to `most` bytes; undefined when there are none. */
  take(most: number): Uint8Array | undefined {
    const bytes = this.#ready.take(most);
    this.#read += bytes?.length ?? 0;
    return bytes;
  }

  clear(): void {
    this.#runs.length = 0;
    this.#held = 0;
    this.#ready.clear();
  }

  #fillHoles(offset: number, skip: number, bytes: Uint8Array): void {
    const end = offset + bytes.length;
    let start = offset + skip;
    let at = this.#firstEndingAfter(start);
    while (start < end) {
      const next = this.#runs[at];
      if (next && next.start <= start) {
        start = Math.max(start, next.end);
        at++;
        continue;
      }
      const stop = Math.min(end, next?.start ?? end);
      at = this.#place(at, start, bytes.subarray(start - offset, stop - offset));
      start = stop;
    }
  }

  /** Runs are many when somebody wants them to be: no walk along all of them for each byte. */
  #firstEndingAfter(offset: number): number {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#runs[middle]?.end ?? 0) > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Puts bytes into the hole before run `at`: at the end of the run before it when they touch. Returns where that hole is now. */
  #place(at: number, start: number, bytes: Uint8Array): number {
    const before = this.#runs[at - 1];
    if (before && before.end === start) {
      this.#held -= before.pieces.held;
      before.pieces.push(bytes);
      this.#held += before.pieces.held;
      before.end += bytes.length;
      return at;
    }
    // RFC 9000 §21.7: a peer that sends every second byte must not make the list grow without end.
    if (this.#runs.length === MAX_RUNS)
      throw new TransportError(TRANSPORT_ERROR.PROTOCOL_VIOLATION, "The peer sent a stream in too many pieces.");
    const run = { start, end: start + bytes.length, pieces: new Pieces() };
    run.pieces.push(bytes);
    this.#held += RUN_COST + run.pieces.held;
    this.#runs.splice(at, 0, run);
    return at + 1;
  }

  #join(): void {
    let count = 0;
    for (const run of this.#runs) {
      if (run.start !== this.#head) break;
      this.#ready.append(run.pieces);
      this.#held -= RUN_COST + run.pieces.held;
      this.#head = run.end;
      count++;
    }
    if (count > 0) this.#runs.splice(0, count);
  }
}

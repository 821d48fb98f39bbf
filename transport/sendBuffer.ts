import { RangeSet } from "#kernel/rangeSet.js";
import type { ByteWriter } from "#kernel/varint.js";

/**
 * Bytes of one ordered stream from the moment they are written until they are acknowledged.
 * Written chunks are kept as they are: sending and resending copy straight into packets.
 */
export class SendBuffer {
  readonly #chunks: Uint8Array[] = [];
  /** Stream offset of the first kept chunk. */
  #base = 0;
  #written = 0;
  #sent = 0;
  readonly #acked = new RangeSet();
  readonly #lost = new RangeSet();
  /** Where the last copy ended: sending is almost always sequential. */
  #cursorChunk = 0;
  #cursorOffset = 0;

  /** Bytes written so far: the offset of the next byte. */
  get written(): number {
    return this.#written;
  }

  /** Highest offset that was sent once. */
  get sent(): number {
    return this.#sent;
  }

  get unsent(): number {
    return this.#written - this.#sent;
  }

  /** Bytes that are kept: written, and not yet acknowledged in order. */
  get kept(): number {
    return this.#written - this.#base;
  }

  get hasLost(): boolean {
    return this.#lost.size > 0;
  }

  /** True when every written byte is acknowledged. */
  get settled(): boolean {
    return this.#base === this.#written;
  }

  /** Keeps `bytes`; they must not be changed afterwards. */
  write(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes);
    this.#written += bytes.length;
  }

  /** The next run to send, lost bytes first: at most `room` bytes, new ones below `limit` (flow control). */
  next(room: number, limit: number): { offset: number; length: number } | undefined {
    const lost = this.#lost.min;
    if (lost !== undefined) {
      const end = this.#lost.endOfRunAt(lost) ?? lost;
      return { offset: lost, length: Math.min(room, end - lost + 1) };
    }
    const length = Math.min(room, this.#written - this.#sent, limit - this.#sent);
    return length > 0 ? { offset: this.#sent, length } : undefined;
  }

  /** Copies a run that `next` offered into the packet and counts it as sent. */
  copy(offset: number, length: number, out: ByteWriter): void {
    this.#seek(offset);
    let left = length;
    while (left > 0) {
      const chunk = this.#chunks[this.#cursorChunk];
      if (!chunk) throw new RangeError("send buffer: these bytes are no longer kept");
      const from = offset + length - left - this.#cursorOffset;
      const part = chunk.subarray(from, from + left);
      out.put(part);
      left -= part.length;
      if (from + part.length === chunk.length) this.#step(chunk);
    }
    if (this.#lost.size > 0) this.#lost.remove(offset, offset + length - 1);
    this.#sent = Math.max(this.#sent, offset + length);
  }

  /** The same bytes may be acknowledged twice, when a packet that was given up arrives late. */
  onAcked(offset: number, length: number): void {
    const start = Math.max(offset, this.#base);
    const last = offset + length - 1;
    if (last < start) return;
    this.#acked.add(start, last);
    if (this.#lost.size > 0) this.#lost.remove(start, last);
    this.#release();
  }

  onLost(offset: number, length: number): void {
    const start = Math.max(offset, this.#base);
    for (const run of this.#acked.missing(start, offset + length - 1)) this.#lost.add(run.start, run.end);
  }

  /** Forgets everything: the stream was reset. */
  clear(): void {
    this.#chunks.length = 0;
    this.#base = this.#written;
    this.#sent = this.#written;
    this.#lost.remove(0, this.#written);
    this.#cursorChunk = 0;
    this.#cursorOffset = this.#base;
  }

  #seek(offset: number): void {
    if (offset < this.#cursorOffset) {
      this.#cursorChunk = 0;
      this.#cursorOffset = this.#base;
    }
    for (;;) {
      const chunk = this.#chunks[this.#cursorChunk];
      if (!chunk || offset < this.#cursorOffset + chunk.length) return;
      this.#step(chunk);
    }
  }

  #step(chunk: Uint8Array): void {
    this.#cursorChunk++;
    this.#cursorOffset += chunk.length;
  }

  /** Drops chunks that are acknowledged as a whole. */
  #release(): void {
    const through = this.#acked.endOfRunAt(this.#base);
    if (through === undefined) return;
    let dropped = 0;
    for (; dropped < this.#chunks.length; dropped++) {
      const length = this.#chunks[dropped]?.length ?? 0;
      if (this.#base + length - 1 > through) break;
      this.#base += length;
    }
    if (dropped === 0) return;
    this.#chunks.splice(0, dropped);
    this.#cursorChunk -= dropped;
    if (this.#cursorChunk < 0) {
      this.#cursorChunk = 0;
      this.#cursorOffset = this.#base;
    }
    this.#acked.remove(0, this.#base - 1);
  }
}

import type { Instant } from "#kernel/ports.js";

interface Waiting {
  readonly bytes: Uint8Array;
  readonly expiresAt: Instant;
}

/** An empty datagram costs memory as well. */
const MAX_COUNT = 1024;

/** Datagrams (RFC 9221) that wait to be sent or read. Bounded in bytes and number: the oldest goes first, and is counted. */
export class DatagramQueue {
  readonly #queue: Waiting[] = [];
  readonly #maxBytes: number;
  #bytes = 0;
  /** For want of room, and for being late. */
  dropped = 0;
  expired = 0;

  constructor(maxBytes: number = 64 * 1024) {
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#queue.length;
  }

  /** From `expiresAt` on it is worth nothing to anybody. */
  push(bytes: Uint8Array, expiresAt: Instant = Number.POSITIVE_INFINITY): void {
    this.#queue.push({ bytes, expiresAt });
    this.#bytes += bytes.length;
    while ((this.#bytes > this.#maxBytes && this.#queue.length > 1) || this.#queue.length > MAX_COUNT) {
      this.shift();
      this.dropped++;
    }
  }

  /** The oldest that is still worth something. */
  peek(now: Instant): Uint8Array | undefined {
    for (let first = this.#queue[0]; first; first = this.#queue[0]) {
      if (now < first.expiresAt) return first.bytes;
      this.shift();
      this.expired++;
    }
    return undefined;
  }

  shift(): Uint8Array | undefined {
    const first = this.#queue.shift()?.bytes;
    this.#bytes -= first?.length ?? 0;
    return first;
  }
}

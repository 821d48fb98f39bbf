import type { Instant } from "#kernel/ports.js";
import type { MemoryAccount } from "./memory.js";

const MAX_BYTES = 64 * 1024;
/** Even empty ones must come to an end. */
const MAX_COUNT = 1024;
/** What keeping a datagram costs beside its bytes. */
const ENTRY_COST = 128;

interface Waiting {
  readonly bytes: Uint8Array;
  readonly expiresAt: Instant;
}

/** Datagrams (RFC 9221) that wait to be sent or read. Bounded in bytes and number: the oldest goes first, and is counted. */
export class DatagramQueue {
  readonly #queue: Waiting[] = [];
  readonly #memory: MemoryAccount;
  #bytes = 0;
  /** For want of room, and for being late. */
  dropped = 0;
  expired = 0;

  constructor(memory: MemoryAccount) {
    this.#memory = memory;
  }

  get size(): number {
    return this.#queue.length;
  }

  /** From `expiresAt` on it is worth nothing to anybody. */
  push(bytes: Uint8Array, expiresAt: Instant = Number.POSITIVE_INFINITY): void {
    this.#queue.push({ bytes, expiresAt });
    this.#bytes += bytes.length;
    this.#memory.change(bytes.length + ENTRY_COST);
    while (this.#full && this.#queue.length > 1) {
      this.shift();
      this.dropped++;
    }
  }

  clear(): void {
    while (this.size > 0) this.shift();
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
    if (!first) return undefined;
    this.#bytes -= first.length;
    this.#memory.change(-first.length - ENTRY_COST);
    return first;
  }

  get #full(): boolean {
    return this.#bytes > MAX_BYTES || this.#queue.length > MAX_COUNT || !this.#memory.fits(0);
  }
}

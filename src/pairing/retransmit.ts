import type { Instant, RandomSource } from "#kernel/ports.js";

/** Denser than SMP needs to be: under 30 % loss 99 of 100 pairings shall be done within 10 s. */
const WAITS_MS = [200, 300, 400, 500, 750, 1000] as const;
/** While a person decides, the other side is asked once a second whether it is still there. */
const POLL_MS = 1000;
const JITTER = 0.1;

/** The one request that is waiting for its answer: the same bytes again and again, ever more seldom. PROTOCOL.md §5. */
export class Retransmission {
  readonly #random: RandomSource;
  #bytes: Uint8Array | undefined;
  #tries = 0;
  #nextAt: Instant = 0;
  #steady = false;

  constructor(random: RandomSource) {
    this.#random = random;
  }

  get deadline(): Instant | undefined {
    return this.#bytes && this.#nextAt;
  }

  /** Sends `bytes` now and until `stop` or the next `start`. `steady`: every second, for polls. */
  start(bytes: Uint8Array, now: Instant, steady = false): void {
    this.#bytes = bytes;
    this.#tries = 0;
    this.#nextAt = now;
    this.#steady = steady;
  }

  /** The request reached the other side, which needs time: go on once a second. */
  slowDown(now: Instant): void {
    this.#steady = true;
    this.#nextAt = now + POLL_MS;
  }

  /** Once more now, out of turn. */
  again(now: Instant): void {
    this.#nextAt = Math.min(this.#nextAt, now);
  }

  stop(): void {
    this.#bytes = undefined;
  }

  next(now: Instant): Uint8Array | undefined {
    if (!this.#bytes || now < this.#nextAt) return undefined;
    const wait = this.#steady ? POLL_MS : (WAITS_MS[Math.min(this.#tries, WAITS_MS.length - 1)] ?? POLL_MS);
    this.#nextAt = now + wait * (1 + JITTER * (((this.#random(1)[0] ?? 0) / 255) * 2 - 1));
    this.#tries++;
    return this.#bytes;
  }
}

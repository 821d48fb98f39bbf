import type { Instant, RandomSource } from "#kernel/ports.js";

/** How much one epoch may carry, both directions together: PROTOCOL.md §4. Times in milliseconds. */
export interface RekeyLimits {
  readonly softAgeMs: number;
  readonly softBytes: number;
  readonly softPackets: number;
  readonly hardAgeMs: number;
  readonly hardBytes: number;
  readonly hardPackets: number;
  /** Packets that did not authenticate: a sniffer can forge them, so only the last limit ends the connection. */
  readonly softForged: number;
  readonly hardForged: number;
}

export const REKEY_LIMITS: RekeyLimits = {
  softAgeMs: 10 * 60_000,
  softBytes: 2 ** 30,
  softPackets: 2 ** 22,
  hardAgeMs: 30 * 60_000,
  hardBytes: 2 ** 32,
  hardPackets: 2 ** 24,
  softForged: 2 ** 20,
  hardForged: 2 ** 36,
};

const JITTER = 0.1;

/** Counts the use of one epoch. The soft limits are shifted by up to 10 % so that a crowd does not rekey at once. */
export class EpochUse {
  readonly #limits: RekeyLimits;
  #began: Instant;
  readonly #factor: number;
  #bytes = 0;
  #packets = 0;
  #forged = 0;

  constructor(limits: RekeyLimits, random: RandomSource, now: Instant) {
    this.#limits = limits;
    this.#began = now;
    this.#factor = 1 + JITTER * (((random(1)[0] ?? 0) / 255) * 2 - 1);
  }

  count(bytes: number): void {
    this.#bytes += bytes;
    this.#packets++;
  }

  ageMs(now: Instant): number {
    return now - this.#began;
  }

  age(hiddenMs: number): void {
    this.#began -= hiddenMs;
  }

  /** True for the one that reaches the soft limit. */
  countForged(): boolean {
    return ++this.#forged === this.#limits.softForged;
  }

  get forgeriesExhausted(): boolean {
    return this.#forged >= this.#limits.hardForged;
  }

  /** Fresh keys are wanted. */
  softReached(now: Instant): boolean {
    const { softAgeMs, softBytes, softPackets, softForged } = this.#limits;
    return (
      this.#forged >= softForged ||
      now - this.#began >= softAgeMs * this.#factor ||
      this.#bytes >= softBytes * this.#factor ||
      this.#packets >= softPackets * this.#factor
    );
  }

  /** Nothing but the rekey may be sent any more. */
  hardReached(now: Instant): boolean {
    const { hardAgeMs, hardBytes, hardPackets } = this.#limits;
    return now - this.#began >= hardAgeMs || this.#bytes >= hardBytes || this.#packets >= hardPackets;
  }
}

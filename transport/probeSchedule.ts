import type { Instant } from "#kernel/ports.js";

const WAIT_MS = 2000;
const WAIT_SPREAD_MS = 1000;
/** Times so long when the probe overflowed the queue: a CUBIC flow beside us takes seconds to come back from that. */
const AFTER_OVERFLOW = 2;
/** Startup that lost nothing may have ended by bad luck, so the first probe comes soon; each later one after twice as many rounds. */
const FIRST_ROUNDS = 4;
/** A Reno flow beside us would be back after so many rounds. */
const MAX_ROUNDS = 62;

/** When to look next whether the path carries more. */
export class ProbeSchedule {
  #since: Instant = 0;
  #waitMs = 0;
  #rounds = FIRST_ROUNDS;

  /** Startup is over; it overflowed the queue, or lost nothing. */
  onStartup(overflow: boolean): void {
    this.#rounds = overflow ? MAX_ROUNDS : FIRST_ROUNDS;
  }

  onProbed(): void {
    this.#rounds = Math.min(2 * this.#rounds, MAX_ROUNDS);
  }

  /** `die` spreads the wait, so that flows that met once do not probe together for ever. */
  restart(now: Instant, die: number, overflow: boolean): void {
    this.#since = now;
    const spread = (die % 1000) / 1000;
    this.#waitMs = (overflow ? AFTER_OVERFLOW : 1) * (WAIT_MS + spread * WAIT_SPREAD_MS);
  }

  due(now: Instant): boolean {
    return now - this.#since > this.#waitMs;
  }

  /** So many rounds of cruising are enough; a window of a few packets is back sooner. */
  enough(rounds: number, packets: number): boolean {
    return rounds > Math.min(this.#rounds, packets);
  }
}

import type { Instant } from "#kernel/ports.js";

const WAIT_MS = 2000;
/** Up to so much longer, as a part of it. */
const SPREAD = 0.5;
/** Startup that lost nothing may have ended by bad luck, so the first probe comes soon; each later one after twice as many rounds. */
const FIRST_ROUNDS = 4;
const MAX_ROUNDS = 62;
// RFC 9438 §4.1, §4.6: C, and what a loss takes.
const CUBIC_C = 0.4;
const CUBIC_LOSS = 0.3;
/** RFC 9438 §4.3: 0.53 packets a round, until what a loss took is back. */
const RENO_RETURN = CUBIC_LOSS / 0.53;

/** When to look next whether the path carries more. */
export class ProbeSchedule {
  #since: Instant = 0;
  #waitMs = 0;
  #rounds = FIRST_ROUNDS;
  /** The search before overflowed the queue: whoever shares it has to come back from that. */
  #overflow = false;

  /** Startup is over; it overflowed the queue, or lost nothing. */
  onStartup(overflow: boolean): void {
    this.#rounds = overflow ? MAX_ROUNDS : FIRST_ROUNDS;
    this.#overflow = overflow;
  }

  onProbed(overflow: boolean): void {
    this.#rounds = Math.min(2 * this.#rounds, MAX_ROUNDS);
    this.#overflow = overflow;
  }

  /** `packets` of ours fill the path. `die` spreads the wait, so that flows that met once do not probe together for ever. */
  restart(now: Instant, packets: number, die: number): void {
    this.#since = now;
    const wait = this.#overflow ? cubicReturnMs(packets) : WAIT_MS;
    this.#waitMs = wait * (1 + SPREAD * ((die % 1000) / 1000));
  }

  due(now: Instant): boolean {
    return now - this.#since > this.#waitMs;
  }

  /** So many rounds of cruising are enough: on a short path CUBIC keeps pace with Reno (RFC 9438 §4.3), and is back after so many. */
  enough(rounds: number, packets: number): boolean {
    return rounds > (this.#overflow ? RENO_RETURN * packets : Math.min(this.#rounds, packets));
  }
}

/** RFC 9438's K: a CUBIC flow as large as ours takes so long to be where it was before the loss. */
function cubicReturnMs(packets: number): number {
  return 1000 * Math.cbrt((packets * CUBIC_LOSS) / CUBIC_C);
}

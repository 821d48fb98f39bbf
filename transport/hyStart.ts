// RFC 9406 §4.2, §4.3
const MIN_RTT_RISE_MS = 4;
const MAX_RTT_RISE_MS = 16;
const RTT_DIVISOR = 8;
const SAMPLES = 8;
const CONSERVATIVE_DIVISOR = 4;
const CONSERVATIVE_ROUNDS = 5;

/**
 * HyStart++ (RFC 9406): slow start ends when round trips grow longer, before the queue overflows. First it only slows down;
 * when the round trips shrink again it was a false alarm.
 */
export class HyStart {
  #roundEnd = -1;
  #lastMin = Number.POSITIVE_INFINITY;
  #currentMin = Number.POSITIVE_INFINITY;
  #samples = 0;
  /** Shortest round trip when growth was slowed down; undefined while it is not. */
  #baseline: number | undefined;
  #conservativeRounds = 0;

  /** How much slower than plain slow start the window may grow now. */
  get divisor(): number {
    return this.#baseline === undefined ? 1 : CONSERVATIVE_DIVISOR;
  }

  /**
   * Call for each ACK in slow start. `largestAcked` and `largestSent`: packet numbers; `rttMs`: its sample, if it gave one.
   * True when slow start is over.
   */
  onAck(largestAcked: number, largestSent: number, rttMs: number | undefined): boolean {
    if (largestAcked > this.#roundEnd) this.#startRound(largestSent);
    if (rttMs !== undefined) {
      this.#currentMin = Math.min(this.#currentMin, rttMs);
      this.#samples++;
    }
    if (this.#samples >= SAMPLES) this.#judge();
    return this.#conservativeRounds > CONSERVATIVE_ROUNDS;
  }

  #startRound(largestSent: number): void {
    this.#roundEnd = largestSent;
    this.#lastMin = this.#currentMin;
    this.#currentMin = Number.POSITIVE_INFINITY;
    this.#samples = 0;
    if (this.#baseline !== undefined) this.#conservativeRounds++;
  }

  #judge(): void {
    if (this.#baseline !== undefined) {
      if (this.#currentMin >= this.#baseline) return;
      this.#baseline = undefined;
      this.#conservativeRounds = 0;
      return;
    }
    if (!Number.isFinite(this.#lastMin)) return;
    const rise = Math.min(Math.max(this.#lastMin / RTT_DIVISOR, MIN_RTT_RISE_MS), MAX_RTT_RISE_MS);
    if (this.#currentMin < this.#lastMin + rise) return;
    this.#baseline = this.#currentMin;
    // The round that found the rise is the first of the conservative ones.
    this.#conservativeRounds = 1;
  }
}

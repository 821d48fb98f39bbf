// RFC 9002 §5, §6.2.2
export const TIMER_GRANULARITY_MS = 1;
const INITIAL_RTT_MS = 100;
/** A LAN peer that is silent for a moment (Wi-Fi gap, sleep) must not cost minutes of doubled timeouts. */
export const MAX_PTO_MS = 2000;

/** Round-trip time estimate of one path, in milliseconds. */
export class RttEstimator {
  latest: number = 0;
  min: number = Number.POSITIVE_INFINITY;
  smoothed: number = INITIAL_RTT_MS;
  variance: number = INITIAL_RTT_MS / 2;
  hasSample: boolean = false;

  constructor(initialMs?: number) {
    if (initialMs !== undefined) this.update(Math.max(initialMs, TIMER_GRANULARITY_MS / 10), 0);
  }

  /** Another path: nothing that was measured counts any more (RFC 9000 §9.4). */
  reset(): void {
    this.latest = 0;
    this.min = Number.POSITIVE_INFINITY;
    this.smoothed = INITIAL_RTT_MS;
    this.variance = INITIAL_RTT_MS / 2;
    this.hasSample = false;
  }

  /** RFC 9002 §6.2.2: what a PATH_CHALLENGE took is no sample, but better than nothing. */
  guess(ms: number): void {
    if (this.hasSample) return;
    this.smoothed = Math.max(ms, TIMER_GRANULARITY_MS / 10);
    this.variance = this.smoothed / 2;
  }

  /** RFC 9002 §5.3. `ackDelayMs` is the peer's claim, already limited to its max_ack_delay. */
  update(sampleMs: number, ackDelayMs: number): void {
    this.latest = sampleMs;
    if (!this.hasSample) {
      this.hasSample = true;
      this.min = sampleMs;
      this.smoothed = sampleMs;
      this.variance = sampleMs / 2;
      return;
    }
    this.min = Math.min(this.min, sampleMs);
    const adjusted = sampleMs >= this.min + ackDelayMs ? sampleMs - ackDelayMs : sampleMs;
    this.variance = 0.75 * this.variance + 0.25 * Math.abs(this.smoothed - adjusted);
    this.smoothed = 0.875 * this.smoothed + 0.125 * adjusted;
  }

  /** Probe timeout without backoff, RFC 9002 §6.2.1. */
  pto(maxAckDelayMs: number): number {
    return this.smoothed + Math.max(4 * this.variance, TIMER_GRANULARITY_MS) + maxAckDelayMs;
  }

  /** How long a packet may be late before it counts as lost, RFC 9002 §6.1.2. `threshold`: times the round-trip time. */
  lossDelay(threshold: number): number {
    return Math.max(threshold * Math.max(this.latest, this.smoothed), TIMER_GRANULARITY_MS);
  }
}

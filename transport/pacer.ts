import type { Instant } from "#kernel/ports.js";
import { TIMER_GRANULARITY_MS } from "./rtt.js";

const BURST_MS = 2;
const MIN_BURST_PACKETS = 10;
const MAX_BURST_PACKETS = 128;
/** Whatever the packets' size. The upper bounds are what a rate beyond a gigabit a second needs while a timer of 1 ms runs. */
const MIN_BURST_BYTES = 64 * 1024;
const MAX_BURST_BYTES = 1024 * 1024;

/** Token bucket that spreads a window over its round trip: RFC 9002 §7.7. */
export class Pacer {
  #maxDatagram: number;
  #tokens: number;
  #at: Instant | undefined;

  constructor(maxDatagram: number) {
    this.#maxDatagram = maxDatagram;
    this.#tokens = this.#smallestBurst;
  }

  setMaxDatagram(size: number): void {
    this.#maxDatagram = size;
  }

  /**
   * When the next full packet may go; `now` or earlier: at once. `rate` in bytes per millisecond. Timers cannot spread a round trip
   * that is shorter than their step: there the window alone holds back.
   */
  nextAt(now: Instant, rate: number, minRttMs: number): Instant {
    if (minRttMs < TIMER_GRANULARITY_MS) return now;
    this.#refill(now, rate);
    if (this.#tokens >= this.#maxDatagram) return now;
    return now + Math.max(TIMER_GRANULARITY_MS, (this.#maxDatagram - this.#tokens) / rate);
  }

  onSent(size: number): void {
    this.#tokens -= size;
  }

  #refill(now: Instant, rate: number): void {
    const elapsed = now - (this.#at ?? now);
    this.#at = now;
    const low = this.#smallestBurst;
    const high = Math.max(low, Math.min(MAX_BURST_PACKETS * this.#maxDatagram, MAX_BURST_BYTES));
    const capacity = Math.min(Math.max(rate * BURST_MS, low), high);
    this.#tokens = Math.min(this.#tokens + elapsed * rate, capacity);
  }

  get #smallestBurst(): number {
    return Math.max(2 * this.#maxDatagram, Math.min(MIN_BURST_PACKETS * this.#maxDatagram, MIN_BURST_BYTES));
  }
}

/** Bytes per millisecond for a window over a round trip: faster than the window, so that pacing never limits it. */
export function windowRate(window: number, smoothedRttMs: number, inSlowStart: boolean): number {
  return ((inSlowStart ? 2 : 1.25) * window) / Math.max(smoothedRttMs, 0.1);
}

import type { Instant } from "#kernel/ports.js";

const BURST_MS = 2;
const MIN_BURST_PACKETS = 10;
const MAX_BURST_PACKETS = 64;
/** Below a Node timer's granularity waiting costs more than it saves. */
const MIN_WAIT_MS = 1;

/** Token bucket over the congestion window: RFC 9002 §7.7. */
export class Pacer {
  readonly #maxDatagram: number;
  #tokens: number;
  #at: Instant | undefined;

  constructor(maxDatagram: number) {
    this.#maxDatagram = maxDatagram;
    this.#tokens = MIN_BURST_PACKETS * maxDatagram;
  }

  /** When the next full packet may go; `now` or earlier: at once. `rate` in bytes per millisecond. */
  nextAt(now: Instant, rate: number): Instant {
    this.#refill(now, rate);
    if (this.#tokens >= this.#maxDatagram) return now;
    return now + Math.max(MIN_WAIT_MS, (this.#maxDatagram - this.#tokens) / rate);
  }

  onSent(size: number): void {
    this.#tokens -= size;
  }

  #refill(now: Instant, rate: number): void {
    const elapsed = now - (this.#at ?? now);
    this.#at = now;
    const low = MIN_BURST_PACKETS * this.#maxDatagram;
    const high = MAX_BURST_PACKETS * this.#maxDatagram;
    const capacity = Math.min(Math.max(rate * BURST_MS, low), high);
    this.#tokens = Math.min(this.#tokens + elapsed * rate, capacity);
  }
}

/** Bytes per millisecond for a window over a round trip: faster than the window, so that pacing never limits it. */
export function pacingRate(window: number, smoothedRttMs: number, inSlowStart: boolean): number {
  return ((inSlowStart ? 2 : 1.25) * window) / Math.max(smoothedRttMs, 0.1);
}

import type { Instant } from "#kernel/ports.js";
import { type Range, RangeSet } from "#kernel/rangeSet.js";

const MAX_RANGES = 64;
/** Acknowledge often while the sender's window is small, then seldom: an ACK costs as much to seal as a small packet. */
const EAGER_PACKETS = 100;
const EAGER_EVERY = 2;
const LAZY_EVERY = 10;

/** Which packets arrived and when to say so: RFC 9000 §13.2. */
export class Acknowledgements {
  readonly #received = new RangeSet();
  readonly #maxDelayMs: number;
  #unacknowledged = 0;
  #elicitingTotal = 0;
  #largestAt: Instant = 0;
  #largestEliciting = -1;
  #dueAt: Instant | undefined;
  #pending = false;

  constructor(maxDelayMs: number) {
    this.#maxDelayMs = maxDelayMs;
  }

  /** There is something new that an ACK could say. */
  get pending(): boolean {
    return this.#pending;
  }

  /** When an ACK must go even if nothing else does. */
  get dueAt(): Instant | undefined {
    return this.#dueAt;
  }

  get largest(): number {
    return this.#received.max ?? -1;
  }

  /** Records a packet that was authenticated. `smoothedRtt` in ms bounds how long the ACK may wait. */
  onReceived(number: number, ackEliciting: boolean, now: Instant, smoothedRtt: number): void {
    if (number > this.largest) this.#largestAt = now;
    this.#received.add(number);
    this.#received.keepHighest(MAX_RANGES);
    if (!ackEliciting) return;
    this.#pending = true;
    this.#unacknowledged++;
    this.#elicitingTotal++;
    const every = this.#elicitingTotal <= EAGER_PACKETS ? EAGER_EVERY : LAZY_EVERY;
    // RFC 9000 §13.2.1: out of order, or just after a gap, the sender must hear at once.
    const outOfOrder = number < this.#largestEliciting || !this.#received.has(number - 1);
    this.#largestEliciting = Math.max(this.#largestEliciting, number);
    if (this.#unacknowledged >= every || (outOfOrder && number > 0)) this.#dueAt = now;
    else this.#dueAt ??= now + Math.min(this.#maxDelayMs, Math.max(1, smoothedRtt / 4));
  }

  /** An IMMEDIATE answer is wanted (path frames, probes). */
  expedite(now: Instant): void {
    if (this.#pending) this.#dueAt = now;
  }

  /** Highest run first. */
  ranges(): Generator<Range> {
    return this.#received.descending();
  }

  /** How long the largest packet has waited for its ACK. */
  delay(now: Instant): number {
    return Math.max(0, now - this.#largestAt);
  }

  onSent(): void {
    this.#pending = false;
    this.#unacknowledged = 0;
    this.#dueAt = undefined;
  }

  /** The peer has our ACK up to `largest`: what lies below need not be repeated (RFC 9000 §13.2.4). */
  onAckAcked(largest: number): void {
    if (largest > 0) this.#received.remove(0, largest - 1);
  }
}

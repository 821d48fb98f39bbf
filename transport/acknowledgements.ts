import type { Instant } from "#kernel/ports.js";
import { type Range, RangeSet } from "#kernel/rangeSet.js";
import type { AckFrequency } from "./frames.js";

const MAX_RANGES = 64;
/** Acknowledge often while the sender's window is small, then seldom: an ACK costs as much to seal as a small packet. */
const EAGER_PACKETS = 100;
const EAGER_EVERY = 2;
const LAZY_EVERY = 10;
const MAX_EVERY = 64;
const MAX_REORDERING = 256;
/** Large packets fill the sender's window, and our socket's buffer, long before ten of them have come. */
const MAX_UNACKNOWLEDGED_BYTES = 100_000;

/** Which packets arrived and when to say so: RFC 9000 §13.2. */
export class Acknowledgements {
  readonly #received = new RangeSet();
  readonly #maxDelayMs: number;
  #frequency: AckFrequency | undefined;
  #unacknowledged = 0;
  #unacknowledgedBytes = 0;
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
  onReceived(number: number, bytes: number, ackEliciting: boolean, now: Instant, smoothedRtt: number): void {
    const largest = this.largest;
    if (number > largest) this.#largestAt = now;
    this.#received.add(number);
    this.#received.keepHighest(MAX_RANGES);
    if (!ackEliciting) return;
    this.#pending = true;
    this.#unacknowledged++;
    this.#unacknowledgedBytes += bytes;
    this.#elicitingTotal++;
    const urgent = this.#unacknowledged >= this.#every || this.#unacknowledgedBytes >= MAX_UNACKNOWLEDGED_BYTES;
    if (urgent || this.#outOfOrder(number, largest)) this.#dueAt = now;
    else this.#dueAt ??= now + this.#delayMs(smoothedRtt);
    this.#largestEliciting = Math.max(this.#largestEliciting, number);
  }

  /** The newest wish counts, within bounds; an older one that comes late does not. */
  onFrequency(frequency: AckFrequency): void {
    if (this.#frequency && frequency.sequence <= this.#frequency.sequence) return;
    const threshold = Math.min(Math.max(frequency.threshold, 1), MAX_EVERY);
    this.#frequency = { ...frequency, threshold, reordering: Math.min(frequency.reordering, MAX_REORDERING) };
  }

  /** An IMMEDIATE answer is wanted (path frames, probes). */
  expedite(now: Instant): void {
    this.#pending = this.largest >= 0;
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
    this.#unacknowledgedBytes = 0;
    this.#dueAt = undefined;
  }

  /** The peer has our ACK up to `largest`: what lies below need not be repeated (RFC 9000 §13.2.4). */
  onAckAcked(largest: number): void {
    if (largest > 0) this.#received.remove(0, largest - 1);
  }

  get #every(): number {
    if (this.#elicitingTotal <= EAGER_PACKETS) return EAGER_EVERY;
    return this.#frequency?.threshold ?? LAZY_EVERY;
  }

  #delayMs(smoothedRtt: number): number {
    const wanted = this.#frequency?.maxDelayMs ?? Math.max(1, smoothedRtt / 4);
    return Math.min(this.#maxDelayMs, Math.max(wanted, 1));
  }

  /** RFC 9000 §13.2.1: out of order, or just after a gap, the sender must hear at once, unless it said that it reorders. */
  #outOfOrder(number: number, largestBefore: number): boolean {
    const reordering = this.#frequency?.reordering ?? 1;
    if (reordering === 0 || number === 0) return false;
    if (reordering === 1) return number < this.#largestEliciting || !this.#received.has(number - 1);
    // A packet is missing that the newest one is now exactly so far ahead of, or fills such a hole.
    if (number < largestBefore) return largestBefore - number >= reordering;
    for (let missing = largestBefore - reordering + 1; missing <= number - reordering; missing++)
      if (missing >= 0 && missing >= (this.#received.min ?? 0) && !this.#received.has(missing)) return true;
    return false;
  }
}

import { type Address, type Instant, sameAddress } from "#kernel/ports.js";
import type { Acknowledgements } from "./acknowledgements.js";
import type { PathValidation } from "./pathValidation.js";
import type { RttEstimator } from "./rtt.js";

/** Of packets: a flight of a LAN. Beyond it the oldest is acknowledged. */
const MAX_HELD = 256;

interface Held {
  readonly size: number;
  readonly eliciting: boolean;
  readonly until: Instant;
}

/**
 * What came from where the peer is not proved to be: PROTOCOL.md §8. It may be a move, or copies that somebody carries on a
 * faster way. Their contents count at once; their acknowledgement waits, because the peer would take the time of that way for
 * the time of its own. It would be sent to the old address anyway.
 */
export class Arrivals {
  readonly #acks: Acknowledgements;
  readonly #path: PathValidation;
  readonly #rtt: RttEstimator;
  readonly #follows: boolean;
  readonly #held = new Map<number, Held>();

  /** `follows`: a peer that moves is followed; from one that is not, packets may come from any of its addresses. */
  constructor(acks: Acknowledgements, path: PathValidation, rtt: RttEstimator, follows: boolean) {
    this.#acks = acks;
    this.#path = path;
    this.#rtt = rtt;
    this.#follows = follows;
  }

  /** What is said from there tells something about the time of our path. */
  proved(from: Address): boolean {
    return !this.#follows || sameAddress(from, this.#path.current);
  }

  /** `ptoMs` bounds how long an acknowledgement waits for a proof. */
  onReceived(number: number, size: number, eliciting: boolean, from: Address, now: Instant, ptoMs: number): void {
    if (this.#held.size > 0) this.#expire(now);
    if (this.proved(from)) this.#acks.onReceived(number, size, eliciting, now, this.#rtt.smoothed);
    else this.#held.set(number, { size, eliciting, until: now + 3 * ptoMs });
  }

  /**
   * A packet of this number, so it says, came again. If the first one was a copy, this may be the peer's own: it counts for our
   * path, or it asks for a proof elsewhere, as the first would have done.
   */
  onDuplicate(number: number, size: number, from: Address, now: Instant): void {
    if (!this.#held.has(number)) return;
    if (this.proved(from)) this.#release(number, now);
    else this.#path.onPacket(from, size, true, now);
  }

  /** The peer has proved to be elsewhere. */
  onPathMoved(now: Instant): void {
    for (const number of this.#held.keys()) this.#release(number, now);
  }

  #expire(now: Instant): void {
    for (const [number, { until }] of this.#held) {
      if (until > now && this.#held.size <= MAX_HELD) return;
      this.#release(number, now);
    }
  }

  #release(number: number, now: Instant): void {
    const held = this.#held.get(number);
    if (!held) return;
    this.#held.delete(number);
    this.#acks.onReceived(number, held.size, held.eliciting, now, this.#rtt.smoothed);
  }
}

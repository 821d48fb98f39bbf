import type { Instant } from "#kernel/ports.js";

/** The peer was in the middle of saying something: whatever has become of it, we ask once, so soon. PROTOCOL.md §8. */
const BROKEN_OFF_MS = 2000;

/** The smaller of both ends' parameters, of which 0 means none. */
export function idleTimeout(localMs: number, peerMs: number): number {
  return localMs === 0 || peerMs === 0 ? Math.max(localMs, peerMs) : Math.min(localMs, peerMs);
}

/** When silence ends a connection, and when to break it: RFC 9000 §10.1. */
export class IdleTimer {
  readonly #timeoutMs: number;
  #since: Instant;
  #sentSinceReceived = false;
  #heardAt: Instant;
  #amidst = false;

  /** `timeoutMs` 0: silence is for ever. */
  constructor(timeoutMs: number, now: Instant) {
    this.#timeoutMs = timeoutMs;
    this.#since = now;
    this.#heardAt = now;
  }

  onReceived(now: Instant): void {
    this.#since = now;
    this.#heardAt = now;
    this.#sentSinceReceived = false;
  }

  /** Bytes of a stream came that were new. */
  onData(): void {
    this.#amidst = true;
  }

  /** True when it is time for a PING; then it is asked. */
  takeKeepAlive(now: Instant): boolean {
    if (now < this.keepAliveAt) return false;
    this.#amidst = false;
    return true;
  }

  /** Only the first ack-eliciting packet after hearing something restarts the timer. */
  onElicitingSent(now: Instant): void {
    if (!this.#sentSinceReceived) this.#since = now;
    this.#sentSinceReceived = true;
  }

  /** At least three probe timeouts, so that a slow path gets its chances. */
  expiresAt(ptoMs: number): Instant {
    return this.#timeoutMs === 0 ? Number.POSITIVE_INFINITY : this.#since + Math.max(this.#timeoutMs, 3 * ptoMs);
  }

  /** When a PING should go out to keep the connection alive: a third of the timeout after the last word from the peer, or sooner when that was half of one. */
  get keepAliveAt(): Instant {
    if (this.#timeoutMs === 0 || this.#sentSinceReceived) return Number.POSITIVE_INFINITY;
    const third = this.#timeoutMs / 3;
    return this.#heardAt + (this.#amidst ? Math.min(BROKEN_OFF_MS, third) : third);
  }
}

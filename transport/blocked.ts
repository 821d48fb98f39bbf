import type { Instant } from "#kernel/ports.js";
import type { Stream } from "./stream.js";

const MAX_WAIT_MS = 10_000;

/**
 * Who may not send although there is something to send says so: RFC 9000 §4.1. Credit nearly always comes within a round trip,
 * so the first word waits a probe timeout, and each further one twice as long as the one before.
 */
export class Blocked {
  #since: Instant | undefined;
  #sayAt: Instant = 0;
  #waitMs = 0;
  #totalMs = 0;
  /** Streams that their own limit holds up. */
  readonly streams: Set<Stream> = new Set();

  /** Milliseconds for which the peer's limits have held us up. */
  totalMs(now: Instant): number {
    return this.#totalMs + (this.#since === undefined ? 0 : now - this.#since);
  }

  /** Call when a stream has changed. */
  note(stream: Stream): void {
    if (stream.sending?.blockedAt !== undefined) this.streams.add(stream);
    else if (this.streams.size > 0) this.streams.delete(stream);
  }

  /** When to say it next. */
  get deadline(): Instant | undefined {
    return this.#since === undefined ? undefined : this.#sayAt;
  }

  /** Call when nothing can be sent. `blocked`: only for want of credit. */
  look(blocked: boolean, ptoMs: number, now: Instant): void {
    if (!blocked) {
      if (this.#since !== undefined) this.#totalMs += now - this.#since;
      this.#since = undefined;
      return;
    }
    if (this.#since !== undefined) return;
    this.#since = now;
    this.#waitMs = ptoMs;
    this.#sayAt = now + ptoMs;
  }

  /** True when it is time to say it. */
  tick(now: Instant): boolean {
    if (this.#since === undefined || now < this.#sayAt) return false;
    this.#waitMs = Math.min(2 * this.#waitMs, MAX_WAIT_MS);
    this.#sayAt = now + this.#waitMs;
    return true;
  }
}

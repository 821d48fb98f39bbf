import type { Instant } from "#kernel/ports.js";
import type { Stream } from "./stream.js";

const MAX_WAIT_MS = 10_000;

/**
 * Why nothing was sent although the path would have taken it: a stream waits for credit or for leave to be opened, the whole
 * connection waits for credit, or the application has said all it had to say.
 */
export type HeldUp = "stream" | "connection" | "application";

/**
 * Who may not send although there is something to send says so: RFC 9000 §4.1. Credit nearly always comes within a round trip,
 * so the first word waits a probe timeout, and each further one twice as long as the one before.
 */
export class Blocked {
  #since: Instant | undefined;
  #sayAt: Instant = 0;
  #waitMs = 0;
  #why: HeldUp | undefined;
  #whySince: Instant = 0;
  readonly #ms = { stream: 0, connection: 0, application: 0 };
  /** Streams that their own limit holds up. */
  readonly streams: Set<Stream> = new Set();

  /** Milliseconds for which this was the reason. */
  ms(why: HeldUp, now: Instant): number {
    return this.#ms[why] + (this.#why === why ? now - this.#whySince : 0);
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

  /** Call when nothing more can be sent now. `why` undefined: there is more, but the path takes no more. */
  look(why: HeldUp | undefined, ptoMs: number, now: Instant): void {
    if (why !== this.#why) {
      if (this.#why !== undefined) this.#ms[this.#why] += now - this.#whySince;
      this.#why = why;
      this.#whySince = now;
    }
    if (why === undefined || why === "application") {
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

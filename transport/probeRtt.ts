import type { Instant } from "#kernel/ports.js";

const DURATION_MS = 200;

/** Round trips in which nothing of ours waited. */
export interface OwnRtt {
  readonly shortestMs: number;
  readonly meanMs: number;
}

/** Little is sent for a while, so that the queue empties and shows the path's own round trip. */
export class ProbeRtt {
  /** The window before, which is restored when the probe is over. */
  readonly window: number;
  #since: Instant | undefined;
  #shortest = Number.POSITIVE_INFINITY;
  #sum = 0;
  #count = 0;

  constructor(window: number) {
    this.window = window;
  }

  /** The path's own round trip once the probe is over. `low`: little enough is in flight. */
  onAck(now: Instant, low: boolean, rttMs: number | undefined): OwnRtt | undefined {
    if (this.#since === undefined && low) this.#since = now;
    if (this.#since === undefined) return undefined;
    if (rttMs !== undefined) {
      this.#shortest = Math.min(this.#shortest, rttMs);
      if (now - rttMs >= this.#since) {
        this.#sum += rttMs;
        this.#count++;
      }
    }
    if (now - this.#since < DURATION_MS || this.#count === 0) return undefined;
    return { shortestMs: this.#shortest, meanMs: this.#sum / this.#count };
  }
}

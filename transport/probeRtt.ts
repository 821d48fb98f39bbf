import type { Instant } from "#kernel/ports.js";

const DURATION_MS = 200;

/** Little is sent for a while, so that the queue empties and shows the path's own round trip. */
export class ProbeRtt {
  #until: Instant | undefined;
  #lowest = Number.POSITIVE_INFINITY;

  /** The shortest round trip once it is over. `low`: little enough is in flight. */
  onAck(now: Instant, low: boolean, rttMs: number | undefined): number | undefined {
    if (this.#until === undefined && low) this.#until = now + DURATION_MS;
    if (this.#until === undefined) return undefined;
    if (rttMs !== undefined) this.#lowest = Math.min(this.#lowest, rttMs);
    return now >= this.#until && Number.isFinite(this.#lowest) ? this.#lowest : undefined;
  }
}

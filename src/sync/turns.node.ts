import { setImmediate } from "node:timers/promises";

const TURN_MS = 10;

/**
 * The disk is asked by synchronous calls where they are short: such a call costs 3 µs, one by way of the thread pool 50 to
 * 100. Nothing else runs meanwhile, so after 10 ms of them everybody else has a turn.
 */
export class Turns {
  #since = 0;

  /** What to wait for before the next call; undefined when it may be made at once. */
  next(): Promise<void> | undefined {
    return performance.now() - this.#since < TURN_MS ? undefined : this.#begin();
  }

  async #begin(): Promise<void> {
    await setImmediate();
    this.#since = performance.now();
  }
}

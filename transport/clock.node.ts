import { randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import type { Clock, RandomSource } from "#kernel/ports.js";

/** The platform's clocks. A delay of zero runs after pending input, before the next millisecond. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  schedule(delayMs, callback) {
    if (delayMs < 0.5) {
      const immediate = setImmediate(callback);
      return () => clearImmediate(immediate);
    }
    // Rounded up: a timer that fires early would find nothing to do and be set again.
    const timer = setTimeout(callback, Math.ceil(Math.min(delayMs, 2 ** 31 - 1)));
    return () => clearTimeout(timer);
  },
};

export const systemRandom: RandomSource = (length) => new Uint8Array(randomBytes(length));

import { monitorEventLoopDelay } from "node:perf_hooks";

const STEP_MS = 10;

/** How late this process hears its timers: what a busy application adds to every round trip. Costs a timer each 10 ms. */
export interface LoopLag {
  /** Milliseconds; 99 of 100 timers since the last question were less late. */
  p99Ms(): number;
  stop(): void;
}

export function measureLoop(): LoopLag {
  const delays = monitorEventLoopDelay({ resolution: STEP_MS });
  delays.enable();
  return {
    p99Ms: () => {
      // It counts from timer to timer, so that a loop that is never late shows the step.
      const lateMs = delays.count === 0 ? 0 : delays.percentile(99) / 1e6 - STEP_MS;
      delays.reset();
      return Math.max(0, lateMs);
    },
    stop: () => delays.disable(),
  };
}

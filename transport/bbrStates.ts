import { JITTER_MS } from "./pathModel.js";

export type BbrState = "startup" | "drain" | "down" | "cruise" | "refill" | "up" | "probeRtt";

/** How much faster than the path's rate we send, and how many bandwidth-delay products may be out. */
export const GAINS: Readonly<Record<BbrState, { readonly pacing: number; readonly window: number }>> = {
  startup: { pacing: 2.77, window: 2 },
  drain: { pacing: 0.5, window: 2 },
  down: { pacing: 0.9, window: 2 },
  cruise: { pacing: 1, window: 1.25 },
  refill: { pacing: 1, window: 2 },
  up: { pacing: 1.25, window: 2.25 },
  probeRtt: { pacing: 1, window: 0.5 },
};

/**
 * The gain of a state's window on a path with this round trip. Cruising we leave no more in a shared queue than jitter asks
 * for: all flows' windows together are what stands there, and who comes later has to find room.
 */
export function windowGain(state: BbrState, minRttMs: number): number {
  const { window } = GAINS[state];
  return state === "cruise" ? withJitter(window, minRttMs) : window;
}

/** What is on its way when nothing waits, as a part of the bandwidth-delay product: a radio's jitter is part of the path. */
export function fullGain(minRttMs: number): number {
  return withJitter(1, minRttMs);
}

function withJitter(gain: number, minRttMs: number): number {
  return Math.min(gain + JITTER_MS / minRttMs, GAINS.refill.window);
}

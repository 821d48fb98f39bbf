import { randomBytes, randomFillSync } from "node:crypto";
import { performance } from "node:perf_hooks";
import type { Clock, RandomSource } from "#kernel/ports.js";

/** The platform's clocks. A delay of zero runs after pending input, before the next millisecond. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  schedule: (delayMs, callback) => (delayMs <= 0 ? soon(callback) : later(delayMs, callback)),
};

function soon(callback: () => void): () => void {
  const immediate = setImmediate(callback);
  return () => clearImmediate(immediate);
}

function later(delayMs: number, callback: () => void): () => void {
  // Rounded up: a timer that fires early would find nothing to do and be set again.
  const timer = setTimeout(callback, Math.ceil(Math.min(delayMs, 2 ** 31 - 1)));
  return () => clearTimeout(timer);
}

/** Asking the system costs microseconds however little is wanted, and a handshake wants a little many times. */
const stock = new Uint8Array(1024);
let used = stock.length;

export const systemRandom: RandomSource = (length) => {
  if (length > stock.length / 4) return new Uint8Array(randomBytes(length));
  if (used + length > stock.length) {
    randomFillSync(stock);
    used = 0;
  }
  const bytes = stock.slice(used, used + length);
  // What was given out may be a key: it stays nowhere else.
  stock.fill(0, used, used + length);
  used += length;
  return bytes;
};

import type { Clock, Instant } from "#kernel/ports.js";

interface Timer {
  readonly at: Instant;
  readonly order: number;
  readonly callback: () => void;
}

/** A clock that stands still until it is told to run. Timers fire in order of time, then of scheduling. */
export class VirtualClock implements Clock {
  #now = 1;
  #order = 0;
  readonly #heap: Timer[] = [];
  readonly #cancelled = new Set<number>();

  now(): Instant {
    return this.#now;
  }

  wall(): number {
    return Date.UTC(2026, 0, 1) + this.#now;
  }

  schedule(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, delayMs), order: this.#order++, callback };
    this.#push(timer);
    return () => this.#cancelled.add(timer.order);
  }

  /** Fires the next timer; false when there is none before `limit`. */
  step(limit: Instant = Number.POSITIVE_INFINITY): boolean {
    for (;;) {
      const timer = this.#heap[0];
      if (!timer || timer.at > limit) return false;
      this.#pop();
      if (this.#cancelled.delete(timer.order)) continue;
      this.#now = Math.max(this.#now, timer.at);
      timer.callback();
      return true;
    }
  }

  /** For machines without promises: runs until `done`, or for `limitMs`. Returns whether it was done. */
  runUntil(done: () => boolean, limitMs: number): boolean {
    const limit = this.#now + limitMs;
    while (!done()) if (!this.step(limit)) break;
    if (!done()) this.#now = Math.max(this.#now, limit);
    return done();
  }

  /** The same for code with promises: they settle between two timers. */
  async runUntilAsync(done: () => boolean, limitMs: number, settled: () => Promise<void> = settle): Promise<boolean> {
    const limit = this.#now + limitMs;
    for (;;) {
      await settled();
      if (done()) return true;
      if (this.step(limit)) continue;
      this.#now = Math.max(this.#now, limit);
      return false;
    }
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push(timer);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent];
      if (!above || before(above, timer)) break;
      heap[i] = above;
      heap[parent] = timer;
      i = parent;
    }
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      const left = heap[child];
      const right = heap[child + 1];
      if (!left) break;
      const smaller = right && before(right, left) ? right : left;
      if (smaller === right) child++;
      if (before(last, smaller)) break;
      heap[i] = smaller;
      i = child;
    }
    heap[i] = last;
  }
}

/** Lets every promise that can go on now do so. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function before(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

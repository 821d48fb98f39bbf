import type { Clock, Instant } from "#kernel/ports.js";

const FINEST_MS = 1e-6;

/** The clock of a machine that can sleep: as Linux' monotonic one it stands still meanwhile, and no timer fires. */
export class SleepingClock implements Clock {
  readonly #outside: Clock;
  #hiddenMs = 0;
  #asleepSince: Instant | undefined;
  #due: (() => void)[] = [];

  constructor(outside: Clock) {
    this.#outside = outside;
  }

  now(): Instant {
    return (this.#asleepSince ?? this.#outside.now()) - this.#hiddenMs;
  }

  wall(): number {
    return this.#outside.wall();
  }

  schedule(delayMs: number, callback: () => void): () => void {
    let cancelled = false;
    // The outer clock is further on and has fewer digits left: less than this would not move it.
    const cancel = this.#outside.schedule(delayMs > 0 ? Math.max(delayMs, FINEST_MS) : 0, () => {
      if (this.#asleepSince === undefined) callback();
      else this.#due.push(() => cancelled || callback());
    });
    return () => {
      cancelled = true;
      cancel();
    };
  }

  get asleep(): boolean {
    return this.#asleepSince !== undefined;
  }

  sleep(): void {
    this.#asleepSince ??= this.#outside.now();
  }

  /** How long it slept. */
  wake(): number {
    const slept = this.#outside.now() - (this.#asleepSince ?? this.#outside.now());
    this.#asleepSince = undefined;
    this.#hiddenMs += slept;
    const due = this.#due;
    this.#due = [];
    for (const callback of due) callback();
    return slept;
  }
}

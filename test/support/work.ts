import { Session } from "node:inspector/promises";

const OURS = /\/dist\/(transport|src\/kernel)\//;

/**
 * Counts how many blocks of the channel's own code run, as V8 sees them. Unlike time that is the same on every machine and in
 * every run. What built-in functions do inside (copying, sorting, looking up) is one step.
 * Only functions that are compiled after it was made have counters: make it first, then import the product.
 */
export class StepCounter {
  readonly #session = new Session();

  async start(): Promise<void> {
    this.#session.connect();
    await this.#session.post("Profiler.enable");
    await this.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  async count(act: () => void): Promise<number> {
    await this.#take();
    act();
    return this.#take();
  }

  /** Since the last time. */
  async #take(): Promise<number> {
    const { result } = await this.#session.post("Profiler.takePreciseCoverage");
    let steps = 0;
    for (const { url, functions } of result)
      if (OURS.test(url)) for (const { ranges } of functions) for (const { count } of ranges) steps += count;
    return steps;
  }
}

import { Gate } from "./gate.js";

/** Values that one side puts in and another takes out in order, waiting when there are none. */
export class AsyncQueue<T> implements AsyncIterable<T> {
  readonly #values: T[] = [];
  readonly #gate = new Gate();
  #ended = false;

  get size(): number {
    return this.#values.length;
  }

  push(value: T): void {
    if (this.#ended) return;
    this.#values.push(value);
    this.#gate.open();
  }

  /** The next value that is there already. */
  shift(): T | undefined {
    return this.#values.shift();
  }

  /** Nothing more will come; what is inside can still be taken. */
  end(): void {
    this.#ended = true;
    this.#gate.open();
  }

  /** The next value, or undefined after the end. */
  async take(signal?: AbortSignal): Promise<T | undefined> {
    while (this.#values.length === 0 && !this.#ended) await this.#gate.wait(signal);
    return this.#values.shift();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      while (this.#values.length === 0 && !this.#ended) await this.#gate.wait();
      const value = this.#values.shift();
      if (value === undefined) return;
      yield value;
    }
  }
}

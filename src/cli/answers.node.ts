import process from "node:process";
import { StringDecoder } from "node:string_decoder";
import { isYes } from "./words.js";

const MAX_LINE = 1000;

/**
 * Answers of the person on standard input, one line each: `y` or `yes` is yes, everything else is no, and so is the end of input.
 * A terminal's lines count only when they were typed after the question; those of a pipe answer the questions in turn.
 */
export class Answers {
  readonly #decoder = new StringDecoder("utf8");
  readonly #lines: string[] = [];
  #partial = "";
  #ended = false;
  #listening = false;
  #wake: () => void = () => {};

  /** A person sits there; else lines come from a program. */
  get fromTerminal(): boolean {
    return process.stdin.isTTY === true;
  }

  /** `show` draws the question, once old typing has been thrown away. Rejects with the signal's reason. */
  async ask(show: () => void, signal: AbortSignal): Promise<boolean> {
    return isYes(await this.askLine(show, signal));
  }

  /** The same for an answer in words; undefined for the end of input. */
  async askLine(show: () => void, signal: AbortSignal): Promise<string | undefined> {
    signal.throwIfAborted();
    this.#listen();
    try {
      if (this.fromTerminal) await this.#forgetTyping();
      signal.throwIfAborted();
      show();
      return await this.#nextLine(signal);
    } finally {
      if (!this.#ended) process.stdin.pause();
    }
  }

  #listen(): void {
    if (!this.#listening) {
      this.#listening = true;
      process.stdin.on("data", (chunk: Buffer) => this.#onText(this.#decoder.write(chunk)));
      process.stdin.on("end", () => this.#onEnd());
      // A terminal that went away, or a background job that may not read.
      process.stdin.on("error", () => this.#onEnd());
    }
    if (!this.#ended) process.stdin.resume();
  }

  /** What waits in the terminal arrives within two turns of the event loop. */
  async #forgetTyping(): Promise<void> {
    for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
    this.#lines.length = 0;
    this.#partial = "";
  }

  async #nextLine(signal: AbortSignal): Promise<string | undefined> {
    while (this.#lines.length === 0 && !this.#ended) {
      await new Promise<void>((resolve, reject) => {
        const onAbort = (): void => reject(signal.reason);
        signal.addEventListener("abort", onAbort, { once: true });
        this.#wake = () => {
          signal.removeEventListener("abort", onAbort);
          resolve();
        };
      });
    }
    return this.#lines.shift();
  }

  #onText(text: string): void {
    const lines = (this.#partial + text).split("\n");
    this.#partial = (lines.pop() ?? "").slice(0, MAX_LINE);
    this.#lines.push(...lines);
    this.#wake();
  }

  #onEnd(): void {
    this.#ended = true;
    this.#wake();
  }
}

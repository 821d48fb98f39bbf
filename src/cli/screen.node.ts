import process from "node:process";
import { styleText } from "node:util";
import type { CliEvent } from "./events.js";
import { drawsUnicode, qrLines } from "./qrText.js";
import { printable } from "./words.js";

/**
 * What the person or the program sees. With `--json` events go to standard output, one object a line, and nothing else.
 * Without it, prose and progress go to standard error, results to standard output.
 */
export class Screen {
  readonly json: boolean;
  readonly #animated: boolean;
  readonly #colours: boolean;
  readonly #held: { readonly stream: NodeJS.WriteStream; readonly text: string }[] = [];
  #question = false;
  #progress = "";

  constructor(json: boolean) {
    this.json = json;
    const { NO_COLOR, TERM } = process.env;
    const terminal = process.stderr.isTTY === true && TERM !== "dumb";
    this.#animated = terminal && !json;
    this.#colours = terminal && !NO_COLOR;
  }

  /** For programs. Several are one write: where the output is a pipe, each waits for the reader. */
  event(...events: readonly CliEvent[]): void {
    if (this.json) process.stdout.write(events.map((event) => `${JSON.stringify(event)}\n`).join(""));
  }

  /** The answer to what was asked for. */
  result(text: string): void {
    this.#write(process.stdout, visible(text));
  }

  /** What is going on, for a person. */
  say(text: string): void {
    this.#write(process.stderr, visible(text));
  }

  /** One line that changes in place; nothing at all where there is no terminal. */
  progress(text: string): void {
    if (!this.#animated) return;
    this.#clear();
    this.#progress = text.slice(0, (process.stderr.columns ?? 80) - 1);
    this.#redraw();
  }

  /** The progress line is over; it stays away. */
  endProgress(): void {
    this.#clear();
    this.#progress = "";
  }

  /** From here to `closeQuestion` nothing else is written. */
  openQuestion(text: string): void {
    if (this.json) return;
    this.#clear();
    this.#question = true;
    process.stderr.write(text);
  }

  /** `typed`: the person has pressed Enter, so the cursor is on a new line already. */
  closeQuestion(typed: boolean): void {
    if (!this.#question) return;
    this.#question = false;
    if (!typed) process.stderr.write("\n");
    for (const { stream, text } of this.#held.splice(0)) stream.write(`${text}\n`);
    this.#redraw();
  }

  /** Whether letters and links may be shown here: on a terminal or to a program, not into what may be a log. */
  get mayShowSecrets(): boolean {
    return this.json || process.stderr.isTTY === true;
  }

  /** Something to be read off the screen. */
  bigLine(text: string): void {
    this.#write(process.stderr, `\n      ${this.bold(visible(text))}\n`);
  }

  /** A QR code, where the terminal can draw one that phones read. */
  qr(text: string): void {
    if (this.json || process.stderr.isTTY !== true) return;
    const { columns } = process.stderr;
    const unicode = drawsUnicode(process.env, process.platform);
    const lines = qrLines(text, { unicode, colours: this.#colours, columns });
    if (lines) this.#write(process.stderr, lines.join("\n"));
    else this.say("(This terminal is too narrow or too plain for a QR code: use the link.)");
  }

  error(code: string, message: string): void {
    if (this.json) this.event({ event: "error", code, message });
    else this.#write(process.stderr, this.#styled("red", visible(`handfast: ${message}`)));
  }

  bold(text: string): string {
    return this.#styled("bold", text);
  }

  #write(stream: NodeJS.WriteStream, text: string): void {
    if (this.json) return;
    if (this.#question) {
      this.#held.push({ stream, text });
      return;
    }
    this.#clear();
    stream.write(`${text}\n`);
    this.#redraw();
  }

  #styled(style: "bold" | "red", text: string): string {
    return this.#colours ? styleText(style, text) : text;
  }

  #clear(): void {
    if (this.#progress && !this.#question) process.stderr.write("\r\u001b[K");
  }

  #redraw(): void {
    if (this.#progress && !this.#question) process.stderr.write(this.#progress);
  }
}

/** Whatever comes from a peer or a file name must not move the cursor or reorder what a person reads. */
function visible(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

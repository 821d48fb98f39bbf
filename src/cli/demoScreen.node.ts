import process from "node:process";
import type { CliEvent } from "./events.js";
import type { Screen } from "./screen.node.js";
import { TwoScreens } from "./twoScreens.js";
import { bar } from "./words.js";

/** What the demo shows: two screens side by side, and at the end each thing that was checked. */
export class DemoScreen {
  readonly #screen: Screen;
  readonly #screens: TwoScreens;
  readonly #shown: string[] = [];
  readonly #began = performance.now();
  /** A line that is being redrawn in place. */
  #live = false;

  constructor(screen: Screen, left: string, right: string) {
    this.#screen = screen;
    this.#screens = new TwoScreens(left, right);
  }

  begin(): void {
    this.#screen.say(
      "Two processes on this machine, one as the PC and one as the laptop; they know nothing of each other.\n",
    );
    this.#print(this.#screens.top());
  }

  /** The last lines of both, and everything that was shown. */
  end(): void {
    this.#print(this.#screens.bottom());
    this.#screen.result(
      `\nShown in ${elapsed(this.#began)}, by two processes on the loopback interface of this machine:`,
    );
    for (const line of this.#shown) this.#screen.result(line);
    this.#screen.result("\nFor real: handfast share <folder> on the PC, handfast join <folder> on the other device.");
  }

  row(left: string, right: string): void {
    this.#print(this.#screens.row(left, right));
  }

  rule(): void {
    this.#print(this.#screens.rule());
  }

  /** It was checked. */
  shown(name: string, text: string): void {
    this.#screen.event({ event: "step", name, text });
    this.#shown.push(`  ${name.padEnd(9)}${text}`);
  }

  progress(event: CliEvent): void {
    if (event.event !== "progress" || !process.stderr.isTTY || this.#screen.json) return;
    const [line = ""] = this.#screens.row(bar(event.bytes, event.totalBytes, 20), "");
    process.stderr.write(`\r${line}`);
    this.#live = true;
  }

  #print(lines: readonly string[]): void {
    if (this.#live) process.stderr.write("\r\u001b[K");
    this.#live = false;
    for (const line of lines) this.#screen.say(line);
  }
}

/** How long it took since then, in words. */
export function elapsed(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("./deviceProcess.js", import.meta.url));

export interface Line {
  readonly event: string;
  readonly instance?: string;
  readonly port?: number;
  readonly name?: string;
  readonly pairing?: boolean;
  readonly addresses?: readonly string[];
  readonly problems?: readonly string[];
}

/** A discovery process, and what it said so far. */
export class DeviceProcess implements AsyncDisposable {
  readonly lines: Line[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  #wake: () => void = () => {};

  /** `prefix`: a command to run node under, such as `ip netns exec name`. */
  constructor(role: "advertise" | "browse", args: readonly string[], prefix: readonly string[] = []) {
    const [command = process.execPath, ...rest] = [...prefix, process.execPath, SCRIPT, role, ...args];
    this.#child = spawn(command, rest);
    this.#child.stderr.pipe(process.stderr);
    let text = "";
    this.#child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const whole = text.split("\n");
      text = whole.pop() ?? "";
      for (const line of whole) this.lines.push(JSON.parse(line) as Line);
      this.#wake();
    });
    this.#child.on("exit", () => this.#wake());
  }

  say(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  /** The first line from now or before that fits. */
  async until(fits: (line: Line) => boolean): Promise<Line> {
    for (;;) {
      const found = this.lines.find(fits);
      if (found) return found;
      if (this.#child.exitCode !== null) throw new Error(`ended without it: ${JSON.stringify(this.lines)}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Ends its input; resolves with its exit code once it has gone by itself. */
  async end(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, "exit");
      this.#child.stdin.end();
      await exited;
    }
    return this.#child.exitCode;
  }

  /** Without a goodbye. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, "exit");
      this.kill();
      await exited;
    }
  }
}

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { HandfastError } from "#kernel/errors.js";
import type { CliEvent } from "./events.js";

const MAIN = fileURLToPath(new URL("./main.node.js", import.meta.url));
const WAIT_MS = 20_000;

type Named<Name> = Extract<CliEvent, { event: Name }>;

/** This very program as another process: its events as they come, its standard input for the answer. */
export class HandfastProcess {
  readonly title: string;
  readonly events: CliEvent[] = [];
  /** Resolves with how the process ended: its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  readonly #child: ChildProcess;
  /** How many events of each name were taken by `next`. */
  readonly #taken = new Map<string, number>();
  readonly #listeners = new Set<() => void>();
  #onEvent: (event: CliEvent) => void = () => {};
  #errors = "";
  #over = false;

  /** `under`: a command to run it under, such as `ip netns exec <name>`. */
  constructor(
    title: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    under: readonly string[] = [],
  ) {
    this.title = title;
    const [command = process.execPath, ...rest] = [...under, process.execPath, MAIN, ...args, "--json"];
    // The channel carries nothing: it tells the child when this process is gone.
    this.#child = spawn(command, rest, {
      stdio: ["pipe", "pipe", "pipe", "ipc"],
      env: { ...process.env, ...env },
    });
    this.ended = new Promise((resolve) => {
      this.#child.on("close", (code, signal) => {
        this.#over = true;
        this.#wake();
        resolve(code ?? signal ?? 1);
      });
    });
    let partial = "";
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (partial + text).split("\n");
      partial = lines.pop() ?? "";
      for (const line of lines) this.#take(line);
      this.#wake();
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errors = (this.#errors + text).slice(-2000);
    });
    // A process that is gone does not take an answer any more.
    this.#child.stdin?.on("error", () => {});
  }

  /** Sees every event as it comes. */
  onEvent(listener: (event: CliEvent) => void): void {
    this.#onEvent = listener;
  }

  /** The next event of this name that nobody has taken yet. Throws when it does not come in time, or the process ends. */
  async next<Name extends CliEvent["event"]>(
    name: Name,
    fits: (event: Named<Name>) => boolean = () => true,
  ): Promise<Named<Name>> {
    const late = AbortSignal.timeout(WAIT_MS);
    for (;;) {
      const all = this.events.filter((event): event is Named<Name> => event.event === name);
      for (let i = this.#taken.get(name) ?? 0; i < all.length; i++) {
        this.#taken.set(name, i + 1);
        const event = all[i];
        if (event && fits(event)) return event;
      }
      const failed = name === "error" ? undefined : this.events.find((event) => event.event === "error");
      if (failed?.event === "error") throw this.#broken(`says: ${failed.message}`);
      if (this.#over) throw this.#broken(`ended before "${name}". ${this.#errors}`);
      if (late.aborted) throw this.#broken(`did not come to "${name}" within ${WAIT_MS / 1000} s`);
      await new Promise<void>((resolve) => {
        const done = (): void => {
          this.#listeners.delete(done);
          late.removeEventListener("abort", done);
          resolve();
        };
        this.#listeners.add(done);
        late.addEventListener("abort", done);
      });
    }
  }

  count(name: CliEvent["event"]): number {
    return this.events.filter(({ event }) => event === name).length;
  }

  answer(yes: boolean): void {
    this.type(yes ? "y" : "n");
  }

  /** One line of the person. */
  type(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** All that the process has written so far, on both outputs. */
  get written(): string {
    return this.events.map((event) => JSON.stringify(event)).join("\n") + this.#errors;
  }

  /** No more answers. */
  endInput(): void {
    this.#child.stdin?.end();
  }

  async kill(signal: NodeJS.Signals): Promise<number | NodeJS.Signals> {
    if (!this.#over) this.#child.kill(signal);
    return await this.ended;
  }

  #take(line: string): void {
    try {
      const event = JSON.parse(line) as CliEvent;
      this.events.push(event);
      this.#onEvent(event);
    } catch {
      this.#errors += line;
    }
  }

  #wake(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #broken(what: string): HandfastError {
    return new HandfastError("PROCESS_FAILED", `${this.title} ${what}`);
  }
}

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Figure } from "./figures.js";
import type { Work } from "./peer.js";

const CHILD = fileURLToPath(new URL("./child.js", import.meta.url));
const TIMEOUT_MS = 120_000;

/** Where the two processes run: a prefix for each command line ("ip netns exec h1"), and the server's and client's addresses. */
export interface Place {
  readonly server: readonly string[];
  readonly client: readonly string[];
  readonly serverHost: string;
  readonly clientHost: string;
}

export const LOOPBACK: Place = { server: [], client: [], serverHost: "127.0.0.1", clientHost: "127.0.0.1" };

/** Runs one piece of work between two fresh processes. Rejects with what a process said on its way out. */
export async function runPair(
  name: string,
  wanted: Pick<Work, "kind" | "bytes" | "times" | "settings">,
  place: Place,
): Promise<Figure> {
  const work: Work = { ...wanted, host: place.serverHost, from: place.clientHost, port: 0 };
  const server = new Side(place.server, ["server", name, JSON.stringify(work)]);
  let client: Side | undefined;
  try {
    const { port = 0 } = await server.line();
    client = new Side(place.client, ["client", name, JSON.stringify({ ...work, port })]);
    const { seconds = Number.NaN, connectMs = Number.NaN, cpu = 0, peakMiB = 0, ...details } = await client.line();
    server.ask();
    const receiver = await server.line();
    await Promise.all([client.exited, server.exited]);
    return {
      ...{ seconds, connectMs, details, senderCpu: cpu, senderMiB: peakMiB },
      receiverCpu: receiver["cpu"] ?? 0,
      receiverMiB: receiver["peakMiB"] ?? 0,
    };
  } finally {
    client?.stop();
    server.stop();
  }
}

/** One of the two processes. */
export class Side {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #timer: NodeJS.Timeout;
  readonly exited: Promise<unknown>;

  constructor(prefix: readonly string[], args: readonly string[]) {
    const [command = "", ...rest] = [...prefix, process.execPath, ...profilerFlags(args[0] ?? ""), CHILD, ...args];
    this.#process = spawn(command, rest, { stdio: ["pipe", "pipe", "inherit"] });
    this.exited = once(this.#process, "exit");
    const { stdout } = this.#process;
    if (!stdout) throw new Error("a child without standard output");
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
    this.#timer = setTimeout(() => this.#process.kill("SIGKILL"), TIMEOUT_MS);
  }

  async line(): Promise<Record<string, number>> {
    const next = await this.#lines.next();
    if (next.done) throw new Error("a process ended before it had a result");
    return JSON.parse(next.value) as Record<string, number>;
  }

  ask(): void {
    this.#process.stdin?.write("report\n");
  }

  stop(): void {
    clearTimeout(this.#timer);
    if (this.#process.exitCode === null) this.#process.kill("SIGKILL");
  }
}

/** BENCH_PROFILE=<folder> leaves a CPU profile of each process there. */
function profilerFlags(side: string): readonly string[] {
  const folder = process.env["BENCH_PROFILE"];
  return folder ? ["--cpu-prof", `--cpu-prof-dir=${folder}`, `--cpu-prof-name=${side}-${Date.now()}.cpuprofile`] : [];
}

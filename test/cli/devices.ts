import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { HandfastProcess } from "#cli/handfastProcess.node.js";

/** Two devices of one test on this machine: a folder and a state directory each. */
export class TwoDevices {
  readonly base: string;
  /** Not the name of any other test's PC. */
  readonly pcName: string;
  readonly #started: HandfastProcess[] = [];

  constructor(t: TestContext) {
    this.base = mkdtempSync(join(tmpdir(), "handfast-cli-"));
    this.pcName = `PC ${this.base.slice(-6)}`;
    mkdirSync(this.pcFolder);
    mkdirSync(this.laptopFolder);
    t.after(async () => {
      await Promise.all(this.#started.map((each) => each.kill("SIGKILL")));
      rmSync(this.base, { recursive: true, force: true });
    });
  }

  get pcFolder(): string {
    return join(this.base, "pc");
  }

  get laptopFolder(): string {
    return join(this.base, "laptop");
  }

  get pcState(): string {
    return join(this.base, "pc state");
  }

  get laptopState(): string {
    return join(this.base, "laptop state");
  }

  write(path: string, content: string | Uint8Array): void {
    const full = join(this.laptopFolder, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, content);
  }

  /** Starts `share` and resolves when it listens. */
  async share(...args: readonly string[]): Promise<{ readonly pc: HandfastProcess; readonly peer: string }> {
    const pc = this.run("pc", ["share", this.pcFolder, "--name", this.pcName, "--port", "0", ...args]);
    const { port } = await pc.next("listening");
    return { pc, peer: `127.0.0.1:${port}` };
  }

  join(...args: readonly string[]): HandfastProcess {
    return this.run("laptop", ["join", this.laptopFolder, "--name", "Laptop", ...args]);
  }

  run(
    device: "pc" | "laptop",
    args: readonly string[],
    state: string = device === "pc" ? this.pcState : this.laptopState,
    env: Readonly<Record<string, string>> = {},
  ): HandfastProcess {
    const started = new HandfastProcess(device, [...args, "--state", state, "--interface", "lo"], env);
    this.#started.push(started);
    return started;
  }

  /** How many devices `devices` names. */
  async bonds(device: "pc" | "laptop"): Promise<number> {
    const listing = this.run(device, ["devices"]);
    assert.equal(await listing.ended, 0);
    return listing.count("device");
  }
}

/** Both people compare the digits and say yes. */
export async function sayYes(pc: HandfastProcess, laptop: HandfastProcess): Promise<readonly [string, string]> {
  const [there, here] = await Promise.all([pc.next("pairing"), laptop.next("pairing")]);
  pc.answer(there.digits === here.digits);
  laptop.answer(there.digits === here.digits);
  return [there.digits, here.digits];
}

/** Path → content of every file, ours left out. */
export function contents(folder: string): Map<string, string> {
  const paths = (readdirSync(folder, { recursive: true }) as string[])
    .filter((path) => !path.startsWith(".handfast") && statSync(join(folder, path)).isFile())
    .sort();
  return new Map(paths.map((path) => [path, readFileSync(join(folder, path)).toString("base64")]));
}

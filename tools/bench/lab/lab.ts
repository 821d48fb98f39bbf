import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import type { Place } from "../pair.js";

/** Properties of link.c: times in ms one way, rate in Mbit/s, loss in per cent. */
export type LinkSettings = Readonly<Record<string, number>>;

export interface Lab extends AsyncDisposable {
  readonly place: Place;
}

const SOURCE = "tools/bench/lab/link.c";
const SERVER = "10.78.0.2";
const CLIENT = "10.78.0.1";

/** Why there is no lab here; undefined when there can be one. */
export function whyNoLab(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "it needs root on Linux, for network namespaces";
  for (const tool of ["ip", "cc"])
    try {
      execFileSync("which", [tool], { stdio: "ignore" });
    } catch {
      return `it needs ${tool === "ip" ? "iproute2" : "a C compiler"}`;
    }
  return undefined;
}

/** Two hosts, each in a network namespace of its own, and a bad cable between them. TCP uses CUBIC there, as desktops do. */
export async function openLab(link: LinkSettings, mtu = 1500): Promise<Lab> {
  const folder = mkdtempSync(join(tmpdir(), "handfast-lab-"));
  const cable = join(folder, "link");
  execFileSync("cc", ["-O2", "-o", cable, SOURCE]);
  const names = ["a", "b", "cable"].map((part) => `hf${process.pid}${part}`);
  const [client = "", server = "", middle = ""] = names;
  const ip = (...words: string[]): void => void execFileSync("ip", words);
  for (const name of names) ip("netns", "add", name);
  for (const [end, host, address] of [
    ["p0", client, CLIENT],
    ["p1", server, SERVER],
  ] as const) {
    ip("-n", middle, "link", "add", end, "type", "veth", "peer", "name", "eth0", "netns", host);
    ip("-n", middle, "link", "set", end, "mtu", String(mtu), "up");
    ip("-n", host, "link", "set", "eth0", "mtu", String(mtu), "up");
    ip("-n", host, "addr", "add", `${address}/24`, "dev", "eth0");
    ip("netns", "exec", host, cable, "offload", "eth0");
    ip("netns", "exec", middle, cable, "offload", end);
    const route = [
      "route",
      "change",
      "10.78.0.0/24",
      "dev",
      "eth0",
      "proto",
      "kernel",
      "scope",
      "link",
      "src",
      address,
    ];
    ip("-n", host, ...route, "congctl", "cubic");
  }
  const settings = Object.entries(link).map(([key, value]) => `${key}=${value}`);
  const emulator = spawn("ip", ["netns", "exec", middle, cable, ...settings, "p0", "p1"], { stdio: "ignore" });
  await delay(200);
  if (emulator.exitCode !== null) throw new Error("the emulated link did not start");
  return {
    place: {
      server: ["ip", "netns", "exec", server],
      client: ["ip", "netns", "exec", client],
      serverHost: SERVER,
      clientHost: CLIENT,
    },
    async [Symbol.asyncDispose]() {
      const gone = once(emulator, "exit");
      emulator.kill("SIGTERM");
      await gone;
      for (const name of names) ip("netns", "del", name);
      rmSync(folder, { recursive: true });
    },
  };
}

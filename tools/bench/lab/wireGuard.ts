import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Place } from "../pair.js";

const PORT = "51820";
const SUBNET = "10.79.0";
/** What an Ethernet frame has left inside a tunnel. */
const MTU = "1420";
const ATTEMPTS = 100;

export interface Tunnel extends AsyncDisposable {
  readonly place: Place;
}

/** Whether wireguard-go, wg and the tunnel device are here. */
export function wireGuardInstalled(): boolean {
  try {
    execFileSync("which", ["wireguard-go", "wg"], { stdio: "ignore" });
    return existsSync("/dev/net/tun");
  } catch {
    return false;
  }
}

/** A tunnel by wireguard-go between the two hosts of a place, each in a network namespace of its own. TCP uses CUBIC in it. */
export async function openTunnel(outside: Place): Promise<Tunnel> {
  const folder = mkdtempSync(join(tmpdir(), "handfast-wg-"));
  const keys = ["client", "server"].map((name) => keyPair(join(folder, name)));
  const ends = [
    { prefix: outside.client, key: keys[0], peer: keys[1], peerHost: outside.serverHost, own: 1, other: 2 },
    { prefix: outside.server, key: keys[1], peer: keys[0], peerHost: outside.clientHost, own: 2, other: 1 },
  ];
  const tunnels: ChildProcess[] = [];
  for (const { prefix, key, peer, peerHost, own, other } of ends) {
    const name = `wg${process.pid}.${own}`;
    const on = (...words: string[]): void => {
      const [command = "", ...rest] = [...prefix, ...words];
      execFileSync(command, rest, { stdio: "ignore" });
    };
    const [command = "", ...rest] = [...prefix, "wireguard-go", "-f", name];
    tunnels.push(spawn(command, rest, { stdio: "ignore" }));
    await appears(() => on("ip", "link", "show", name));
    const endpoint = ["endpoint", `${peerHost}:${PORT}`];
    const allowed = ["allowed-ips", `${SUBNET}.${other}/32`];
    const self = ["listen-port", PORT, "private-key", key?.file ?? ""];
    on("wg", "set", name, ...self, "peer", peer?.public ?? "", ...allowed, ...endpoint);
    on("ip", "addr", "add", `${SUBNET}.${own}/24`, "dev", name);
    on("ip", "link", "set", name, "mtu", MTU, "up");
    const route = ["route", "change", `${SUBNET}.0/24`, "dev", name, "proto", "kernel", "scope", "link"];
    on("ip", ...route, "src", `${SUBNET}.${own}`, "congctl", "cubic");
  }
  return {
    place: { ...outside, clientHost: `${SUBNET}.1`, serverHost: `${SUBNET}.2` },
    async [Symbol.asyncDispose]() {
      for (const tunnel of tunnels) {
        const gone = once(tunnel, "exit");
        tunnel.kill("SIGTERM");
        await gone;
      }
      rmSync(folder, { recursive: true });
    },
  };
}

function keyPair(file: string): { readonly file: string; readonly public: string } {
  const secret = execFileSync("wg", ["genkey"]);
  writeFileSync(file, secret, { mode: 0o600 });
  return { file, public: execFileSync("wg", ["pubkey"], { input: secret }).toString().trim() };
}

/** The device comes some time after the process. */
async function appears(look: () => void): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      look();
      return;
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      await delay(50);
    }
  }
}

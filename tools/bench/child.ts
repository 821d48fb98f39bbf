import { once } from "node:events";
import { readFileSync } from "node:fs";
import process from "node:process";
import { makeRoomForDatagrams } from "#transport/datagramHeap.node.js";
import type { Peer, Work } from "./peer.js";

/** Only the one that is measured is loaded: the others' code is no part of its memory. */
const PEERS: Readonly<Record<string, () => Promise<Peer>>> = {
  handfast: async () => (await import("./handfastPeer.js")).handfastPeer,
  device: async () => (await import("./devicePeer.js")).devicePeer,
  tls: async () => (await import("./tlsPeer.js")).tlsPeer,
  tcp: async () => (await import("./tcpPeer.js")).tcpPeer,
  dgram: async () => (await import("./dgramPeer.js")).dgramPeer,
  udx: async () => (await import("./udxPeer.js")).udxPeer,
};

/**
 * One process of a pair: `server <peer>` says its port, then its cost when asked; `client <peer>` says what it measured.
 * The server of endless work says how many bytes have come, as often as it is asked.
 */
const [side, name = "", text = "{}"] = process.argv.slice(2);
const peer = await PEERS[name]?.();
// As the command line does; for every peer alike.
makeRoomForDatagrams();
if (!peer) throw new Error(`no such peer: ${name}`);
const work = JSON.parse(text) as Work;
if (side === "server") {
  let received = 0;
  const count = (bytes: number): void => {
    received += bytes;
  };
  say({ port: await peer.serve(work, count) });
  const before = process.cpuUsage();
  if (work.kind === "endless") for await (const _ of process.stdin) say({ received });
  await once(process.stdin, "data");
  say(cost(before));
} else {
  const before = process.cpuUsage();
  const measured = await peer.run(work);
  say({ ...measured, ...cost(before) });
}
process.exit(0);

function say(words: Readonly<Record<string, number>>): void {
  process.stdout.write(`${JSON.stringify(words)}\n`);
}

function cost(before: NodeJS.CpuUsage): { cpu: number; peakMiB: number } {
  const { user, system } = process.cpuUsage(before);
  return { cpu: (user + system) / 1e6, peakMiB: peakKib() / 1024 };
}

/** Linux counts `maxRSS` on from the process that started this one; VmHWM is our own. */
function peakKib(): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
  } catch {
    return process.resourceUsage().maxRSS;
  }
}

import { setTimeout as delay } from "node:timers/promises";
import { type Place, Side } from "./pair.js";
import type { Work } from "./peer.js";

/** A flow that never ends, between two processes of its own. */
export interface EndlessFlow {
  readonly peer: string;
  readonly settings: Work["settings"];
}

export const HANDFAST: EndlessFlow = { peer: "handfast", settings: { datagram: 1472 } };
export const TCP: EndlessFlow = { peer: "tcp", settings: {} };

/** Later flows start so long after the one before. */
const GAP_MS = 300;

/** Lets flows run side by side; gives each one's share of the bytes that arrived between two moments. */
export async function measureShares(
  flows: readonly EndlessFlow[],
  place: Place,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
): Promise<readonly number[]> {
  const servers: Side[] = [];
  const clients: Side[] = [];
  try {
    const work = { kind: "endless", bytes: 0, times: 0, host: place.serverHost, from: place.clientHost } as const;
    const ports: number[] = [];
    for (const { peer, settings } of flows) {
      const server = new Side(place.server, ["server", peer, JSON.stringify({ ...work, settings, port: 0 })]);
      servers.push(server);
      ports.push((await server.line())["port"] ?? 0);
    }
    for (const [index, { peer, settings }] of flows.entries()) {
      if (index > 0) await delay(GAP_MS);
      const port = ports[index] ?? 0;
      clients.push(new Side(place.client, ["client", peer, JSON.stringify({ ...work, settings, port })]));
    }
    await delay(fromMs);
    const before = await received(servers);
    await delay(toMs - fromMs);
    const brought = (await received(servers)).map((bytes, index) => bytes - (before[index] ?? 0));
    const all = brought.reduce((sum, bytes) => sum + bytes, 0);
    return brought.map((bytes) => bytes / all);
  } finally {
    for (const side of [...clients, ...servers]) side.stop();
  }
}

async function received(servers: readonly Side[]): Promise<readonly number[]> {
  return await Promise.all(
    servers.map(async (server) => {
      server.ask();
      return (await server.line())["received"] ?? 0;
    }),
  );
}

/** Jain's index: 1 when all have the same, 1 / n when one has everything. */
export function fairnessIndex(shares: readonly number[]): number {
  const sum = shares.reduce((all, share) => all + share, 0);
  return sum ** 2 / (shares.length * shares.reduce((all, share) => all + share ** 2, 0));
}

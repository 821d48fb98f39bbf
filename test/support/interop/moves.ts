import assert from "node:assert/strict";
import { toHex } from "#kernel/bytes.js";
import { type Address, sameAddress } from "#kernel/ports.js";
import { type ChannelWorld, CLIENT, SERVER } from "../channel.js";
import { type Connected, connected, type InteropCase, MB, same, seconds } from "./world.js";

const RESET = 43;
const THIRD: Address = { host: "10.0.0.66", port: 6666 };
const NEXT_PORT = (i: number): Address => ({ ...CLIENT, port: CLIENT.port + i });
const NEXT_HOST = (i: number): Address => ({ host: `10.3.${i >> 8}.${i & 255}`, port: CLIENT.port });

interface Rebinding {
  readonly next: (i: number) => Address;
  readonly firstMs?: number;
  readonly everyMs?: number;
  /** Somebody sends copies from a third address. */
  readonly copies?: boolean;
  /** The server sends; the client's datagrams are ACKs. */
  readonly down?: boolean;
  /** Fresh keys are on their way in each move. */
  readonly rekey?: boolean;
}

/** Copies half of the client's datagrams: some overtake what they copy, some come late. */
class Copier {
  sent = 0;
  received = 0;

  constructor({ world, server }: Connected) {
    server.on("path", (address) => assert.notDeepEqual(address, THIRD, "switched to the copier"));
    world.network.socket(THIRD).onDatagram((bytes) => {
      this.received += bytes.length;
    });
  }

  see(world: ChannelWorld, bytes: Uint8Array, from: Address, to: Address): void {
    if (!sameAddress(to, SERVER) || sameAddress(from, THIRD) || world.random.chance(0.5)) return;
    this.sent += bytes.length;
    if (world.random.chance(0.5)) world.server.pump.receive(bytes.slice(), THIRD);
    else world.clock.schedule(5, () => world.network.inject(bytes, THIRD, SERVER));
  }
}

async function rebinding(
  rules: Rebinding,
  size: number,
): Promise<{ readonly said: string; readonly took: number; readonly moves: number }> {
  const { next, firstMs = 1_000, everyMs = 5_000, copies = false, rekey = false, down = false } = rules;
  const all = await connected();
  const { world, client, server } = all;
  const copier = copies ? new Copier(all) : undefined;
  const scale = everyMs < 1_000 ? 1 : size;
  const firstOnPath = new Map<string, number>();
  const left: Address[] = [];
  const renewals: Promise<{ epoch: number }>[] = [];
  world.network.tap = (bytes, from, to) => {
    copier?.see(world, bytes, from, to);
    const key = `${to.host} ${to.port}`;
    if (sameAddress(from, SERVER) && !firstOnPath.has(key)) firstOnPath.set(key, bytes.length);
    return [bytes];
  };
  let on = true;
  let moves = 0;
  const rebind = (): void => {
    if (moves > 0) left.push(next(moves));
    world.client.socket.rebind(next(++moves));
  };
  const move = (): void => {
    if (!on) return;
    if (rekey) {
      renewals.push(client.rekey());
      // Somewhere between the first message and the last.
      world.clock.schedule((moves * 7) % 45, rebind);
    } else rebind();
    world.clock.schedule(everyMs * scale, move);
  };
  world.clock.schedule(firstMs * scale, move);
  const [sender, reader] = down ? [server, client] : [client, server];
  const took = await same(world, sender, reader, world.random.bytes(Math.round(10 * MB * size)));
  on = false;
  assert.deepEqual([client.closeInfo, server.closeInfo], [undefined, undefined]);
  assert.ok(moves > 0);
  // The first packet to a new address is the padded challenge, unless a copier, or an ACK, left it too little to be answered with so much.
  if (!copies && !down) for (const { host, port } of left) assert.equal(firstOnPath.get(`${host} ${port}`), 1200);
  let said = `${moves} moves, ${seconds(took)}`;
  if (copier) {
    assert.ok(copier.sent > 0 && copier.received <= 3 * copier.sent);
    said += `; ${(copier.sent / 1000).toFixed(0)} KB of copies, ${(copier.received / 1000).toFixed(0)} KB to their address`;
  }
  if (rekey) {
    const epochs = await world.until(Promise.all(renewals));
    assert.deepEqual(
      epochs.map(({ epoch }) => epoch),
      renewals.map((_, i) => i + 1),
    );
    said += `; ${epochs.length} rekeys`;
  }
  return { said, took, moves };
}

/** A move that a copy has hidden, or whose proof came as a copy, is asked for again. */
const HIDDEN_MS = 500;

/** Copies cost hardly any time: neither those that overtake what they copy, nor those that come late, and whoever sends. */
async function withCopies(size: number): Promise<string> {
  const all: string[] = [];
  for (const down of [false, true]) {
    const plain = await rebinding({ next: NEXT_PORT, down }, size);
    const copied = await rebinding({ next: NEXT_PORT, down, copies: true }, size);
    assert.ok(copied.took < 1.1 * plain.took + copied.moves * HIDDEN_MS, `${copied.took} ms instead of ${plain.took}`);
    all.push(`${down ? "down" : "up"} ${copied.said}`);
  }
  return all.join("; ");
}

/** The client moves under a transfer and says so; `alive`: what is sent to its old place still arrives for a while. */
async function migration(alive: boolean, size: number): Promise<string> {
  const { world, client, server } = await connected();
  const next: Address = { host: "10.4.0.1", port: CLIENT.port };
  const seen = new Map<string, Set<string>>();
  const deadFrom = alive ? Number.POSITIVE_INFINITY : world.clock.now() + 200;
  world.network.tap = (bytes, from, to) => {
    const place = sameAddress(from, SERVER) ? to : from;
    if (place.host === CLIENT.host && world.clock.now() >= deadFrom) return [];
    // What the old ID still brings when it is retired already is answered by a reset, which names no connection.
    if (bytes.length === RESET) return [bytes];
    const direction = place === to ? "down" : "up";
    const id = `${direction} ${toHex(bytes.subarray(1, 9))}`;
    const places = seen.get(id) ?? new Set<string>();
    seen.set(id, places.add(place.host));
    return [bytes];
  };
  const bytes = world.random.bytes(Math.round(2 * MB * Math.max(size, 0.3)));
  const done = same(world, client, server, bytes);
  await world.clock.runUntilAsync(() => false, 250);
  const movedAt = world.clock.now();
  world.client.socket.rebind(next);
  if (alive) world.network.socket(CLIENT).onDatagram((late, from) => world.client.pump.receive(late, from));
  world.client.endpoint.networkChanged(movedAt);
  world.client.pump.turn();
  await world.clock.runUntilAsync(() => server.path.host === next.host, 5_000);
  const followed = world.clock.now() - movedAt;
  const took = await done;
  assert.equal(server.path.host, next.host);
  const on = (host: string): number => [...seen.values()].filter((places) => places.has(host)).length;
  assert.deepEqual([on(CLIENT.host), on(next.host)], [2, 2], "one ID each way and place");
  for (const [id, places] of seen) assert.equal(places.size, 1, `${id} was seen on two paths`);
  assert.equal(client.closeInfo, undefined);
  return `${seconds(took)}; the server follows after ${Math.round(followed)} ms`;
}

export const MOVES: readonly InteropCase[] = [
  {
    name: "rebind-port",
    check:
      "10 MB; the client's port changes after 1 s and every 5 s; the first packet to each is a challenge of 1200 bytes",
    run: async (size) => (await rebinding({ next: NEXT_PORT }, size)).said,
  },
  {
    name: "rebind-addr",
    check: "the same with addresses",
    run: async (size) => (await rebinding({ next: NEXT_HOST }, size)).said,
  },
  {
    name: "rebind-port, restless",
    check: "the same every 200 ms",
    run: async (size) => (await rebinding({ next: NEXT_PORT, firstMs: 200, everyMs: 200 }, size)).said,
  },
  {
    name: "rebind-addr, restless",
    check: "the same every 200 ms",
    run: async (size) => (await rebinding({ next: NEXT_HOST, firstMs: 200, everyMs: 200 }, size)).said,
  },
  {
    name: "rebind, copies",
    check:
      "half of the client's datagrams come a second time from a third address, before or after the real one: the server never goes there, sends at most three times what came from it, and up or down it takes at most a tenth longer, and half a second a move",
    run: withCopies,
  },
  {
    name: "rebind, during a rekey",
    check: "every half second, each time somewhere inside a rekey; all rekeys come to their end",
    run: async (size) => (await rebinding({ next: NEXT_HOST, firstMs: 150, everyMs: 500, rekey: true }, size)).said,
  },
  {
    name: "connectionmigration, old path dead",
    check: "2 MB; the client moves and says so; no connection ID is seen on two paths, in neither direction",
    run: (size) => migration(false, size),
  },
  {
    name: "connectionmigration, old path alive",
    check: "the same, and what was sent to the old address still arrives",
    run: (size) => migration(true, size),
  },
];

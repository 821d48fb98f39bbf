import assert from "node:assert/strict";
import type { Session } from "#transport/session.js";
import { type ChannelEnd, ChannelWorld, SERVER } from "../channel.js";
import { BASE, burstly, type InteropCase, same } from "./world.js";

const REDIALS = 5;
const LIMIT_MS = 300_000;

/** Dials, again after each failure as a device does, until both ends hold the session. */
async function connect(
  world: ChannelWorld,
  client: ChannelEnd,
  id: string,
): Promise<{ client: Session; server: Session }> {
  const psk = world.others.find(({ bond }) => bond.id === id)?.bond.psk ?? assert.fail("no bond");
  const held = (): Session | undefined => world.server.sessions.find((one) => one.peerId === id && !one.closeInfo);
  for (let tries = 0; tries < REDIALS; tries++) {
    const before = client.events.length;
    const peerStatic = world.serverKey.public;
    client.endpoint.connect({ to: [SERVER], peerStatic, psk, id: "server" }, world.clock.now());
    client.pump.turn();
    const failed = (): boolean => client.events.slice(before).some(({ type }) => type === "failed");
    const live = (): boolean => client.session !== undefined && held() !== undefined;
    await world.clock.runUntilAsync(() => live() || failed(), 60_000);
    const [own, other] = [client.session, held()];
    if (own && other) return { client: own, server: other };
  }
  throw new Error("no connection came about");
}

/** One client after the other, each with a bond of its own, at one server. */
async function series(seed: number, count: number, spoil: boolean): Promise<readonly number[]> {
  const world = new ChannelWorld({ seed, link: BASE });
  burstly(world, 0.3, spoil, seed);
  const times: number[] = [];
  const began = world.clock.now();
  for (let i = 0; i < count; i++) {
    const id = `client ${i}`;
    const end = world.addClient({ host: `10.6.0.${i}`, port: 50_000 }, id);
    const start = world.clock.now();
    const { client, server } = await connect(world, end, id);
    times.push(world.clock.now() - start);
    await same(world, client, server, world.random.bytes(1024), LIMIT_MS);
    assert.deepEqual([client.closeInfo, server.closeInfo], [undefined, undefined]);
    await world.until(client.close());
    assert.equal(client.closeInfo?.error, undefined);
  }
  assert.ok(world.clock.now() - began <= LIMIT_MS, `seed ${seed}: ${world.clock.now() - began} ms`);
  return times;
}

async function manyHandshakes(spoil: boolean, size: number): Promise<string> {
  const [seeds, each] = size < 1 ? [1, 10] : [100, 50];
  const times: number[] = [];
  for (let seed = 1; seed <= seeds; seed++) times.push(...(await series(seed, each, spoil)));
  times.sort((a, b) => a - b);
  const at = (share: number): number => Math.round(times[Math.ceil(times.length * share) - 1] ?? 0);
  assert.ok(at(0.99) <= 10_000, `${at(0.99)} ms`);
  return `${times.length} connections: median ${at(0.5)} ms, p99 ${at(0.99)} ms, worst ${at(1)} ms`;
}

export const LOSSY_HANDSHAKES: readonly InteropCase[] = [
  {
    name: "handshakeloss",
    check:
      "100 networks with 30 % loss each way, bursts up to 3; on each 50 clients connect one after the other, 1 KB each, within 300 s; p99 of connecting ≤ 10 s",
    run: (size) => manyHandshakes(false, size),
  },
  { name: "handshakecorruption", check: "the same with flipped bits", run: (size) => manyHandshakes(true, size) },
];

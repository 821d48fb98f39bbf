import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_PARAMETERS } from "#transport/params.js";
import { REKEY_LIMITS } from "#transport/rekeyLimits.js";
import { TERRIBLE_LINK } from "../simulation/network.js";
import { withSeeds } from "../simulation/seeds.js";
import { type ChannelEnd, ChannelWorld, SERVER } from "../support/channel.js";
import { parkSessions } from "../support/parked.js";
import { transfer } from "../support/streams.js";
import { swarm } from "../support/swarm.js";

test("1 MiB arrives unharmed on 1,000 terrible networks, with rekeys on the way", async () => {
  await withSeeds(1000, async (seed) => {
    const rekeyLimits = seed % 4 === 0 ? { ...REKEY_LIMITS, softPackets: 300 } : REKEY_LIMITS;
    const world = new ChannelWorld({ seed, link: TERRIBLE_LINK, endpoint: { rekeyLimits } });
    const bytes = world.random.bytes(1024 * 1024);
    const { client, server } = await world.connected();
    const [from, to] = seed % 2 === 0 ? [client, server] : [server, client];
    const received = await world.until(transfer(from, to, bytes));
    assert.ok(Buffer.from(received).equals(bytes), "the bytes differ");
  });
});

test("1,000 rekeys in a row under loss", async () => {
  const world = new ChannelWorld({ seed: 1, link: { ...TERRIBLE_LINK, loss: 0.05 }, endpoint: { keepAlive: true } });
  const { client } = await world.connected();
  for (let epoch = 1; epoch <= 1000; epoch++) assert.deepEqual(await world.until(client.rekey()), { epoch });
});

test("10,000 parked sessions: little memory each, no packets, and each wakes at its first word", async () => {
  const world = new ChannelWorld({ seed: 2, endpoint: { parameters: { ...DEFAULT_PARAMETERS, idleMs: 0 } } });
  const clients: ChannelEnd[] = [];
  const heap = (): number => {
    globalThis.gc?.();
    return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
  };
  const count = Number(process.env["PARKED"] ?? 10_000);
  const before = heap();
  for (let i = 0; i < count; i++) {
    const client = world.addClient({ host: `10.${1 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`, port: 7 }, `c${i}`);
    clients.push(client);
    const psk = world.others[i]?.bond.psk ?? new Uint8Array();
    client.endpoint.connect({ to: [SERVER], peerStatic: world.serverKey.public, psk, id: "server" }, world.clock.now());
    client.pump.turn();
    // Not so fast that the server asks for cookies.
    if (i % 20 === 19) await world.clock.runUntilAsync(() => false, 500);
  }
  await world.clock.runUntilAsync(() => world.server.sessions.length === count, 60_000);
  assert.equal(world.server.sessions.length, count);
  const each = (heap() - before) / count / 2;
  console.log(`${Math.round(each)} bytes a session and end, with the simulated socket and the pump`);
  const { sent } = world.network.counters;
  await world.clock.runUntilAsync(() => false, 600_000);
  assert.equal(world.network.counters.sent, sent);
  let words = 0;
  for (const session of world.server.sessions)
    void (async () => {
      for await (const word of session.datagrams()) words += word.length;
    })();
  const woken = clients.filter((_, i) => i % 10 === 0);
  for (const client of woken) client.session?.sendDatagram(Uint8Array.of(1));
  await world.clock.runUntilAsync(() => false, 10_000);
  assert.equal(words, woken.length);
  assert.ok(woken.every((client) => client.session?.stats().bytesInFlight === 0));
  assert.ok(woken.every((client) => !client.session?.closeInfo));
});

test("a silent session costs its server at most 16 KiB of objects and buffers", () => {
  const { cost, server } = parkSessions(5000);
  console.log(`${Math.round(cost.heap)} bytes each, ${Math.round(cost.resident)} of the process`);
  assert.equal(server.endpoint.connections, 5001);
  assert.ok(cost.heap <= 16 * 1024, `${cost.heap} bytes`);
});

test("1,000 seeds of the swarm", async () => {
  await swarm(10_000, 1_000);
});

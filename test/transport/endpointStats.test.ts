import assert from "node:assert/strict";
import { test } from "node:test";
import { initHeader, sealInit } from "#transport/handshakePackets.js";
import { GOOD_LINK } from "../simulation/network.js";
import { ChannelWorld, CLIENT } from "../support/channel.js";
import { isData } from "../support/hostileStates.js";
import { transfer } from "../support/streams.js";

const pass = async (world: ChannelWorld, ms: number): Promise<void> => {
  await world.clock.runUntilAsync(() => false, ms);
};

test("sessions are counted by their state, from the first Init to the end", async () => {
  const world = new ChannelWorld({ seed: 1 });
  const states = (): unknown[] => [world.client, world.server].map(({ endpoint }) => endpoint.stats().sessions);
  const none = { live: 0, closing: 0, halfOpen: 0, dialling: 0 };
  assert.deepEqual(states(), [none, none]);
  // The client's data does not arrive: it is sure of the server, the server not yet of it.
  world.network.tap = (bytes) => (isData(bytes) ? [] : [bytes]);
  world.dial();
  assert.deepEqual(states(), [{ ...none, dialling: 1 }, none]);
  await pass(world, 5);
  assert.deepEqual(states(), [
    { ...none, live: 1 },
    { ...none, halfOpen: 1 },
  ]);
  world.network.tap = undefined;
  await world.clock.runUntilAsync(() => world.server.session !== undefined, 5000);
  assert.deepEqual(states(), [
    { ...none, live: 1 },
    { ...none, live: 1 },
  ]);
  void world.client.session?.close();
  await pass(world, 3);
  assert.deepEqual(states(), [
    { ...none, closing: 1 },
    { ...none, closing: 1 },
  ]);
  await pass(world, 5000);
  assert.deepEqual(states(), [none, none]);
});

test("Inits are counted by what became of them", async () => {
  const world = new ChannelWorld({ seed: 2 });
  const inits: Uint8Array[] = [];
  world.network.tap = (bytes) => {
    if (!isData(bytes)) inits.push(bytes);
    return [bytes];
  };
  const { client, server } = await world.connected();
  const { endpoint } = world.server;
  const now = (): number => world.clock.now();
  endpoint.receive((inits[0] ?? new Uint8Array()).slice(), CLIENT, now()); // once more
  endpoint.receive(world.random.bytes(1200).fill(0xc0, 0, 1), CLIENT, now()); // by somebody who does not know us
  const { crypto, random, serverKey } = world;
  for (let i = 0; i < 60; i++) {
    const init = sealInit(crypto, serverKey.public, initHeader(random.bytes(8), random.bytes), random.bytes(1155));
    endpoint.receive(init, { host: `10.7.0.${i}`, port: 1 }, now());
  }
  const { accepted, repeated, cookied, dropped } = endpoint.stats().inits;
  assert.deepEqual({ accepted, repeated, mac1: dropped.mac1 }, { accepted: 1, repeated: 1, mac1: 1 });
  // The first fifty were looked into, one of them before this story began; the others had to prove their address.
  assert.deepEqual({ unknown: dropped.unknown, cookied }, { unknown: 49, cookied: 11 });
  assert.deepEqual([dropped.rate, dropped.malformed], [0, 0]);
  assert.equal(world.client.endpoint.stats().inits.accepted, 0, "who only dials accepts nobody");

  const before = endpoint.stats();
  world.network.link = { ...GOOD_LINK, duplicate: 1 };
  await world.until(transfer(client, server, new Uint8Array(10_000)));
  const { drops, memory } = endpoint.stats();
  assert.ok(drops.duplicate > before.drops.duplicate);
  assert.equal(drops.stranger, 49);
  assert.deepEqual(memory, endpoint.memory);
});

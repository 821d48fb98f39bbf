import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { measureLoop } from "#device/loopLag.node.js";
import { DeviceWorld, LAPTOP, PC } from "./deviceWorld.js";

test("a server and a client say in one plain object what they are doing", async () => {
  const world = new DeviceWorld(1);
  const bond = await world.pair();
  await world.settled(world.client.connect(bond));
  const [server, client] = [world.pc.stats(), world.client.stats()];
  assert.deepEqual(server.sessions, { live: 1, closing: 0, halfOpen: 0, dialling: 0 });
  assert.deepEqual(client.sessions, { live: 1, closing: 0, halfOpen: 0, dialling: 0 });
  assert.equal(server.inits.accepted, 1);
  for (const { warnings } of [server, client]) assert.deepEqual(warnings, { identityChanged: 0, bondCopied: 0 });
  assert.deepEqual(Object.keys(server.drops).sort(), ["channel", "pairing", "port"]);
  assert.deepEqual(Object.keys(client.drops).sort(), ["channel", "port"]);
  for (const { memory, sendQueueBytes, eventLoopLagP99Ms } of [server, client]) {
    assert.equal(memory.limit, 256 * 1024 * 1024);
    assert.equal(sendQueueBytes, 0);
    assert.equal(eventLoopLagP99Ms, undefined, "nobody asked for it");
  }
  const { eventLoopLagP99Ms: _, ...plain } = server;
  assert.deepEqual(JSON.parse(JSON.stringify(server)), plain);
  world.network.socket(LAPTOP).send(Uint8Array.of(0), PC);
  await world.clock.runUntilAsync(() => false, 5);
  assert.equal(world.pc.stats().drops["port"]?.["reserved"], 1);
});

test("how late timers are is measured from question to question", async () => {
  const lag = measureLoop();
  let late = 0;
  for (let i = 0; i < 100 && late === 0; i++) {
    // The first timer after a question only starts the measurement.
    for (let timers = 0; timers < 3; timers++) {
      const busyUntil = performance.now() + 30;
      while (performance.now() < busyUntil) {}
      await setTimeout(1);
    }
    late = lag.p99Ms();
  }
  assert.ok(late > 0, "it was busy for three steps of the measurement, and again");
  lag.stop();
  assert.ok(Number.isFinite(lag.p99Ms()));
});

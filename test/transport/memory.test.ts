import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { EndpointMemory } from "#transport/endpointMemory.js";
import { ReceiveWindow } from "#transport/flowControl.js";
import { FRAME } from "#transport/frames.js";
import { MemoryAccount, MemoryPool } from "#transport/memory.js";
import { DEFAULT_PARAMETERS } from "#transport/params.js";
import type { Session } from "#transport/session.js";
import { GOOD_LINK } from "../simulation/network.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { withSeeds } from "../simulation/seeds.js";
import { type ChannelEnd, ChannelWorld, SERVER } from "../support/channel.js";
import { frame, HostileClient } from "../support/hostile.js";
import { memory } from "../support/parked.js";
import { firstOf, readAll } from "../support/streams.js";

// PROTOCOL.md §7, "Memory".

const MIB = 1024 * 1024;
const LEAST = 16 * MIB;
/** Of half of the least limit, without the part that is never given away. */
const SHARED = (LEAST / 2) * (15 / 16);

test("an account may hold as much as is free for all, and not a byte more", () => {
  const pool = new MemoryPool(16_000);
  const account = new MemoryAccount(pool);
  account.change(5000);
  assert.deepEqual([account.fits(5000), account.fits(5001)], [true, false]);
  assert.deepEqual([account.admits(5001), account.refused, pool.refused], [false, 1, 1]);
  account.change(5000);
  assert.deepEqual([account.fits(0), pool.used, pool.free], [false, 10_000, 5000]);
});

test("one that takes what it can gets half, two a third each; the next always finds as much as each of them has", () => {
  const pool = new MemoryPool(16_000_000);
  const accounts: MemoryAccount[] = [];
  for (let count = 1; count <= 50; count++) {
    accounts.push(new MemoryAccount(pool));
    for (let turn = 0; turn < 800; turn++)
      for (const account of accounts) {
        if (account.fits(10_000)) account.change(10_000);
        // Everybody reads a little, so that the shares of the first can shrink.
        else if (account.held > pool.free + 10_000) account.change(-10_000);
      }
    const share = 15_000_000 / (count + 1);
    for (const { held } of accounts) assert.ok(Math.abs(held - share) < 30_000, `${count}: ${held}, not ${share}`);
    assert.ok(pool.free >= share - 20_000 * count);
  }
});

test("windows grow while less than half is in use; near the limit they are what is left, and at least 16 KiB", () => {
  const pool = new MemoryPool(16 * MIB);
  const others = new MemoryAccount(pool);
  const window = new ReceiveWindow(MIB, 8 * MIB, pool);
  const use = (bytes: number): number => {
    window.onReceived(window.highest + bytes);
    window.onConsumed(bytes);
    return window.announce(0, 100) - window.highest;
  };
  assert.equal(use(MIB / 2), MIB);
  assert.equal(use(MIB), 2 * MIB);
  others.change(8 * MIB);
  assert.equal(use(MIB), 4 * MIB);
  others.change(1);
  assert.equal(use(MIB), 4 * MIB);
  others.change(5 * MIB - 1);
  // 13 of 15 MiB are in use. What was promised stays promised; only what is read is not promised anew.
  assert.equal(use(MIB), 3 * MIB);
  assert.equal(use(MIB), 2 * MIB);
  assert.equal(use(MIB), 2 * MIB);
  others.change(4 * MIB);
  assert.equal(use(2 * MIB), 16 * 1024);
  assert.equal(window.updateDue, false);
  others.change(-17 * MIB);
  window.onReceived(window.highest + 5 * 1024);
  window.onConsumed(5 * 1024);
  assert.equal(window.updateDue, true);
  assert.equal(window.announce(1000, 1) - window.highest, 4 * MIB);
});

test("new connections are promised what is left", () => {
  const memory = new EndpointMemory(LEAST);
  assert.equal(memory.promise(DEFAULT_PARAMETERS), DEFAULT_PARAMETERS);
  const { receiving } = memory.open();
  receiving.change(SHARED - DEFAULT_PARAMETERS.maxData);
  assert.equal(memory.promise(DEFAULT_PARAMETERS), DEFAULT_PARAMETERS);
  receiving.change(1);
  assert.equal(memory.promise(DEFAULT_PARAMETERS).maxData, DEFAULT_PARAMETERS.maxData - 1);
  receiving.change(DEFAULT_PARAMETERS.maxData);
  assert.deepEqual(memory.promise(DEFAULT_PARAMETERS), { ...DEFAULT_PARAMETERS, maxData: 16 * 1024 });
});

test("a limit below 16 MiB is none", () => {
  assert.equal(new EndpointMemory(LEAST).stats.limit, LEAST);
  assert.equal(new EndpointMemory().stats.limit, 256 * MIB);
  for (const wrong of [LEAST - 1, Number.NaN, -1]) assert.throws(() => new EndpointMemory(wrong), RangeError);
});

/** `count` clients of one server, with a session each. */
async function crowded(seed: number, count: number) {
  const endpoint = { memoryLimit: LEAST, maxDatagram: () => 16_000 };
  const world = new ChannelWorld({ seed, endpoint, link: { ...GOOD_LINK, mtu: 65_507 } });
  const clients: ChannelEnd[] = [];
  for (let i = 0; i < count; i++) {
    const client = world.addClient({ host: `10.0.1.${i}`, port: 7 }, `client ${i}`);
    const psk = world.others[i]?.bond.psk ?? new Uint8Array();
    client.endpoint.connect({ to: [SERVER], peerStatic: world.serverKey.public, psk, id: "server" }, world.clock.now());
    client.pump.turn();
    clients.push(client);
  }
  await world.clock.runUntilAsync(() => world.server.sessions.length === count, 10_000);
  const session = (i: number): Session => {
    const found = clients[i]?.session;
    if (!found) throw new Error(`client ${i} has no session`);
    return found;
  };
  return { world, clients, session };
}

test("sessions whose application reads nothing for minutes stay below the limit, live on, and lose no byte", async () => {
  const { world, clients, session } = await crowded(1, 6);
  const bytes = world.random.bytes(1.5 * MIB);
  for (let i = 0; i < 2 * clients.length; i++)
    void session(i >> 1)
      .openStream({ unidirectional: true })
      .then(async (stream) => {
        await stream.write(bytes);
        await stream.end();
      });
  const { endpoint, sessions } = world.server;
  let most = 0;
  await world.clock.runUntilAsync(() => {
    most = Math.max(most, endpoint.memory.receiving);
    return false;
  }, 120_000);
  assert.ok(endpoint.memory.refused > 0, "nothing was refused");
  assert.ok(most > SHARED / 2 && most <= SHARED, `${most} bytes were held`);
  for (const one of sessions) assert.equal(one.closeInfo, undefined);
  const whole: boolean[] = [];
  for (const one of sessions)
    void (async () => {
      for await (const stream of one.incomingStreams())
        void readAll(stream).then((received) => whole.push(Buffer.from(received).equals(bytes)));
    })();
  await world.clock.runUntilAsync(() => whole.length === 12, 60_000);
  assert.deepEqual(whole, Array(12).fill(true));
  await world.clock.runUntilAsync(() => false, 1_000);
  const { receiving, sending } = endpoint.memory;
  assert.deepEqual([receiving, sending], [0, 0]);
});

test("what is not read when a session ends is held until it is read, or nobody can", async () => {
  const { world, session } = await crowded(2, 2);
  for (const i of [0, 1])
    await world.until(
      session(i)
        .openStream()
        .then((stream) => stream.write(new Uint8Array(1000))),
    );
  const { endpoint, sessions } = world.server;
  await world.clock.runUntilAsync(() => endpoint.memory.receiving > 6000, 1_000);
  const [first] = sessions;
  assert.ok(first);
  const stream = await world.until(firstOf(first.incomingStreams()));
  session(0).abort();
  session(1).abort();
  await world.clock.runUntilAsync(() => endpoint.connections === 0, 60_000);
  const held = endpoint.memory.receiving;
  assert.ok(held > 2000, `${held} bytes`);
  assert.equal(stream.tryRead()?.length, 1000);
  assert.equal(endpoint.memory.receiving, held / 2);
  sessions.length = 0;
  world.server.events.length = 0;
  for (let i = 0; i < 100 && endpoint.memory.receiving > 0; i++) {
    memory();
    await setImmediate();
  }
  assert.equal(endpoint.memory.receiving, 0);
});

test("writers to peers that take nothing wait sooner when memory is short, and go on when it is not", async () => {
  const { world, session } = await crowded(3, 4);
  const chunk = new Uint8Array(64 * 1024);
  const received = Array.from({ length: 4 }, () => 0);
  const { endpoint, sessions } = world.server;
  const writes = sessions.flatMap((one) =>
    Array.from({ length: 30 }, async () => {
      const stream = await one.openStream();
      for (let i = 0; i < 6; i++) await stream.write(chunk);
      await stream.end();
    }),
  );
  await world.clock.runUntilAsync(() => false, 5_000);
  // A write is always taken, and so is one more that had begun before memory was short: 256 KiB a stream without the limit.
  const { sending } = endpoint.memory;
  assert.ok(sending < 4 * 30 * 2 * chunk.length, `${sending} bytes`);
  for (let i = 0; i < 4; i++)
    void (async () => {
      for await (const stream of session(i).incomingStreams())
        void readAll(stream).then((bytes) => {
          received[i] = (received[i] ?? 0) + bytes.length;
        });
    })();
  await world.until(Promise.all(writes), 60_000);
  await world.clock.runUntilAsync(() => endpoint.memory.sending === 0, 5_000);
  assert.deepEqual(received, Array(4).fill(30 * 6 * chunk.length));
  assert.equal(endpoint.memory.sending, 0);
});

test("random frames of hostile devices: never above the limit, and what is counted comes back to nothing", async () => {
  await withSeeds(3, async (seed) => {
    const world = new ChannelWorld({ seed, endpoint: { memoryLimit: LEAST } });
    const random = new SeededRandom(seed);
    const attackers = Array.from({ length: 12 }, (_, i) => {
      const from = { host: `10.0.1.${i}`, port: 7 };
      return new HostileClient(world, DEFAULT_PARAMETERS, from, world.addBond(`attacker ${i}`));
    });
    const { endpoint, sessions } = world.server;
    const some = (most: number): number => Math.floor(most * random.number() ** 3);
    for (let i = 0; i < 1500; i++) {
      const id = 2 * random.integer(256);
      const makers = [
        () => frame(FRAME.STREAM | 0x06, [id, some(MIB), 40_000], new Uint8Array(40_000)),
        () => frame(FRAME.STREAM | 0x06, [id, some(MIB / 2), 1], new Uint8Array(1)),
        () => frame(FRAME.RESET_STREAM, [id, 1, some(1000)]),
        () => frame(FRAME.STOP_SENDING, [id, 1]),
        () => frame(FRAME.DATAGRAM_WITH_LENGTH, [9], new Uint8Array(9)),
      ];
      attackers[random.integer(12)]?.send((makers[i % makers.length] ?? (() => new Uint8Array()))());
      assert.ok(endpoint.memory.receiving <= LEAST / 2, `${endpoint.memory.receiving} bytes`);
    }
    for (const session of sessions) {
      session.abort();
      for await (const stream of session.incomingStreams()) if (stream.receives) stream.stopReceiving();
      for await (const _ of session.datagrams()) assert.ok(true);
    }
    for (const attacker of attackers) attacker.wait(60_000);
    assert.equal(endpoint.connections, 0);
    const { receiving, sending } = endpoint.memory;
    assert.deepEqual([receiving, sending], [0, 0]);
  });
});

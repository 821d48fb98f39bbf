import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "#kernel/bytes.js";
import { type Address, sameAddress } from "#kernel/ports.js";
import { IdleTimer } from "#transport/idle.js";
import { PathValidation } from "#transport/pathValidation.js";
import { REKEY_LIMITS } from "#transport/rekeyLimits.js";
import { RttEstimator } from "#transport/rtt.js";
import type { Session } from "#transport/session.js";
import { GOOD_LINK } from "../simulation/network.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { withSeeds } from "../simulation/seeds.js";
import { ChannelEnd, ChannelWorld, CLIENT, SERVER } from "../support/channel.js";
import { transfer } from "../support/streams.js";

const THIRD: Address = { host: "10.0.0.66", port: 6666 };
const LINK = { ...GOOD_LINK, delayMs: 10, rate: 1250 };

/** Moves the client's socket to the next address every `everyMs`, as a restless NAT does, until told to stop. */
function restless(world: ChannelWorld, everyMs: number, next: (i: number) => Address): () => void {
  let on = true;
  let i = 0;
  const move = (): void => {
    if (!on) return;
    world.client.socket.rebind(next(++i));
    world.clock.schedule(everyMs, move);
  };
  world.clock.schedule(everyMs, move);
  return () => {
    on = false;
  };
}

for (const [name, everyMs, next] of [
  ["port, every second", 1000, (i: number) => ({ ...CLIENT, port: CLIENT.port + i })],
  ["port, every 200 ms", 200, (i: number) => ({ ...CLIENT, port: CLIENT.port + i })],
  ["address, every second", 1000, (i: number) => ({ host: `10.0.2.${i}`, port: CLIENT.port })],
] as const)
  test(`a transfer survives a NAT that rebinds the ${name}`, async () => {
    await withSeeds(2, async (seed) => {
      const world = new ChannelWorld({ seed, link: LINK });
      const { client, server } = await world.connected();
      const moves: Address[] = [];
      server.on("path", (address) => moves.push(address));
      const stop = restless(world, everyMs, next);
      const bytes = world.random.bytes(2 * 1024 * 1024);
      const [up, down] = [transfer(client, server, bytes), transfer(server, client, bytes)];
      assert.ok(Buffer.from(await world.until(up)).equals(bytes));
      stop();
      assert.ok(Buffer.from(await world.until(down)).equals(bytes));
      assert.ok(moves.length > 0);
      assert.deepEqual([client.closeInfo, server.closeInfo], [undefined, undefined]);
    });
  });

test("copies of the client's packets from a third address never move the server", async () => {
  const world = new ChannelWorld({ seed: 2, link: LINK });
  const { client, server } = await world.connected();
  let copied = 0;
  let toThird = 0;
  let wins = 1;
  world.network.socket(THIRD).onDatagram((bytes) => {
    toThird += bytes.length;
  });
  world.network.tap = (bytes, from, to) => {
    if (sameAddress(to, SERVER) && !sameAddress(from, THIRD) && world.random.chance(wins)) {
      // Faster than the original: it is the copy that the server takes for the newest packet.
      copied += bytes.length;
      world.server.pump.receive(bytes.slice(), THIRD);
    }
    return [bytes];
  };
  const bytes = world.random.bytes(500_000);
  assert.ok(Buffer.from(await world.until(transfer(client, server, bytes))).equals(bytes));
  assert.ok(copied > 500_000);
  assert.deepEqual(server.path, CLIENT);
  assert.ok(toThird <= 3 * copied);
  // And when the client really moves, the copies from the third address do not keep the server from following.
  // (A copier who wins every race could do that: then only a fresh handshake helps.)
  wins = 0.9;
  const real = { ...CLIENT, port: 50_999 };
  world.client.socket.rebind(real);
  const more = world.random.bytes(200_000);
  assert.ok(Buffer.from(await world.until(transfer(client, server, more))).equals(more));
  assert.deepEqual(server.path, real);
});

test("to an address that has proved nothing goes at most three times what came from it", () => {
  const random = new SeededRandom(3);
  const path = new PathValidation(CLIENT, random.bytes);
  path.onPacket(THIRD, 100, true, 0);
  let sent = 0;
  for (let now = 0; now < 100; now += 10) {
    const challenge = path.challenge(now, 10);
    if (!challenge) continue;
    assert.ok(challenge.room <= 300 - sent);
    sent += 44;
    path.onSent(challenge.to, 44);
  }
  assert.equal(sent, 3 * 44, "three tries, then it is given up");
  assert.equal(path.deadline, undefined);
  assert.deepEqual(path.current, CLIENT);
});

test("a challenge is proved by its token, from its address, and by nothing else", () => {
  const random = new SeededRandom(4);
  const path = new PathValidation(CLIENT, random.bytes);
  path.onPacket(THIRD, 1200, false, 0);
  assert.equal(path.challenge(0, 10), undefined, "an old packet from a new address is a late one");
  path.onPacket(THIRD, 1200, true, 0);
  const token = path.challenge(0, 10)?.token ?? new Uint8Array();
  assert.equal(path.onResponse(random.bytes(8), THIRD, 3), undefined);
  assert.equal(
    path.onResponse(token, CLIENT, 3),
    undefined,
    "the peer answers a challenge that somebody passed on to it",
  );
  assert.deepEqual(path.onResponse(token, THIRD, 3)?.moved, { address: THIRD, sameHost: false });
  assert.equal(path.onResponse(token, THIRD, 3), undefined, "once");
});

test("an answer says how long the round trip is, unless it was asked for twice", () => {
  for (const [asks, roundTripMs] of [
    [1, 7],
    [2, undefined],
  ] as const) {
    const path = new PathValidation(CLIENT, new SeededRandom(5).bytes);
    path.verify(0);
    let token = new Uint8Array();
    for (let i = 0; i < asks; i++) token = new Uint8Array(path.challenge(i * 10, 10)?.token ?? []);
    assert.deepEqual(path.onResponse(token, CLIENT, (asks - 1) * 10 + 7), { moved: undefined, roundTripMs });
  }
  const rtt = new RttEstimator();
  rtt.guess(7);
  assert.equal(rtt.pto(25), 7 + 4 * 3.5 + 25);
  rtt.update(10, 0);
  rtt.guess(7);
  assert.equal(rtt.smoothed, 10, "a sample is better");
});

test("a download that a NAT has cut off is asked for after two seconds, once", async () => {
  await withSeeds(5, async (seed) => {
    const world = new ChannelWorld({ seed, link: { ...LINK, rate: 1_000 } });
    const { client, server } = await world.connected();
    const moved = transfer(server, client, world.random.bytes(500_000));
    await world.clock.runUntilAsync(() => false, 200);
    world.client.socket.rebind({ ...CLIENT, port: CLIENT.port + 1 });
    const cutAt = world.clock.now();
    await world.clock.runUntilAsync(() => server.path.port !== CLIENT.port, 20_000);
    const took = world.clock.now() - cutAt;
    // An ACK or a window update may just have left from the new port.
    assert.ok(took < 2_200, `${took} ms`);
    await world.until(moved);
  });
  const idle = new IdleTimer(30_000, 0);
  idle.onReceived(100);
  idle.onData();
  assert.deepEqual([idle.takeKeepAlive(2_099), idle.takeKeepAlive(2_100)], [false, true]);
  idle.onElicitingSent(2_100);
  idle.onReceived(2_110);
  assert.deepEqual([idle.takeKeepAlive(12_109), idle.takeKeepAlive(12_110)], [false, true]);
});

test("whoever shouts from many addresses cannot push out the newest one", () => {
  const path = new PathValidation(CLIENT, new SeededRandom(5).bytes);
  const real = { ...CLIENT, port: 1 };
  for (let i = 0; i < 100; i++) path.onPacket({ ...THIRD, port: i }, 1200, true, 0);
  path.onPacket(real, 1200, true, 0);
  path.onPacket(THIRD, 1200, true, 0);
  const asked: Address[] = [];
  for (let challenge = path.challenge(0, 10); challenge; challenge = path.challenge(0, 10)) asked.push(challenge.to);
  assert.equal(asked.length, 4);
  assert.ok(asked.some((address) => sameAddress(address, real)));
});

/** Every connection ID on the wire, by the client's address at that time. */
function watchCids(world: ChannelWorld): Map<string, Set<string>> {
  const seen = new Map<string, Set<string>>();
  world.network.tap = (bytes, from, to) => {
    const host = from.host === SERVER.host ? to.host : from.host;
    if ((bytes[0] ?? 0) >> 6 === 1) {
      const cids = seen.get(host) ?? new Set();
      cids.add(toHex(bytes.subarray(1, 9)));
      seen.set(host, cids);
    }
    return [bytes];
  };
  return seen;
}

test("a client that knows it moved uses connection IDs that nobody has seen", async () => {
  const world = new ChannelWorld({ seed: 6, link: LINK });
  const { client, server } = await world.connected();
  const seen = watchCids(world);
  const bytes = world.random.bytes(2 * 1024 * 1024);
  const moved = transfer(client, server, bytes);
  await world.clock.runUntilAsync(() => false, 300);
  for (const host of ["10.0.3.1", "10.0.3.2", "10.0.3.3"]) {
    world.client.socket.rebind({ host, port: CLIENT.port });
    world.client.endpoint.networkChanged(world.clock.now());
    world.client.pump.turn();
    await world.clock.runUntilAsync(() => server.path.host === host, 2_000);
    assert.equal(server.path.host, host);
    await world.clock.runUntilAsync(() => false, 200);
  }
  assert.ok(Buffer.from(await world.until(moved)).equals(bytes));
  // What was in flight when the client moved still went to the old address: those are the only IDs that may be there.
  const toServer = [...seen.values()].map((cids) => [...cids]);
  const all = toServer.flat();
  const twice = all.filter((cid, i) => all.indexOf(cid) !== i);
  assert.deepEqual(twice, []);
  assert.equal(seen.size, 4);
});

test("when migration cannot heal, the session says so and a fresh dial replaces it", async () => {
  const world = new ChannelWorld({ seed: 7, link: LINK, endpoint: { keepAlive: true } });
  const { client, server } = await world.connected();
  let suspects = 0;
  client.on("suspect", () => suspects++);
  // The server has moved as well: no packet finds it where it was.
  const home = { host: "10.0.9.9", port: SERVER.port };
  world.server.socket.rebind(home);
  world.client.endpoint.networkChanged(world.clock.now());
  world.client.pump.turn();
  await world.clock.runUntilAsync(() => suspects > 0, 5_000);
  assert.equal(suspects, 1);
  assert.equal(client.closeInfo, undefined, "it is only a suspicion");
  world.dial({ to: [SERVER, home] });
  await world.clock.runUntilAsync(
    () => world.client.sessions.length === 2 && world.server.sessions.length === 2,
    5_000,
  );
  await world.clock.runUntilAsync(() => false, 1_000);
  const code = (session: Session): string | undefined => session.closeInfo?.error?.code;
  assert.deepEqual([code(client), code(server)], ["REPLACED", "REPLACED"]);
  const [fresh, other] = [world.client.session, world.server.session];
  assert.ok(fresh && other);
  assert.deepEqual(await world.until(transfer(fresh, other, Uint8Array.of(7))), Uint8Array.of(7));
});

test("a path that answers is not suspect", async () => {
  const world = new ChannelWorld({ seed: 8, link: { ...LINK, loss: 0.2 } });
  const { client } = await world.connected();
  await world.until(client.rekey());
  let suspects = 0;
  client.on("suspect", () => suspects++);
  world.network.link = LINK;
  world.client.endpoint.networkChanged(world.clock.now());
  world.client.pump.turn();
  await world.clock.runUntilAsync(() => false, 5_000);
  assert.equal(suspects, 0);
});

/** What the client hears of its path, and the server of its own, while the network is dark for `darkMs`. */
async function dark(seed: number, darkMs: number, speaker: "client" | "server") {
  const world = new ChannelWorld({ seed, link: LINK, endpoint: { keepAlive: true } });
  const ends = await world.connected();
  await world.clock.runUntilAsync(() => false, 1_000);
  const told: string[] = [];
  for (const name of ["client", "server"] as const)
    for (const event of ["suspect", "answers"] as const)
      ends[name].on(event, () => told.push(`${name} ${event} ${(world.clock.now() - began).toFixed(0)}`));
  world.network.link = { ...LINK, loss: 1 };
  const began = world.clock.now();
  ends[speaker].sendDatagram(Uint8Array.of(1));
  await world.clock.runUntilAsync(() => false, darkMs);
  world.network.link = LINK;
  await world.clock.runUntilAsync(() => false, 5_000);
  return told;
}

test("a path that answers nothing any more is suspect within a second and a half, and no longer when it answers", async () => {
  for (let seed = 40; seed < 50; seed++) {
    const told = await dark(seed, 3_000, "client");
    const at = (event: string): number =>
      Number(told.find((one) => one.startsWith(event))?.split(" ")[2] ?? Number.NaN);
    assert.ok(at("client suspect") < 1_500, `seed ${seed}: ${told}`);
    assert.ok(at("client answers") > 3_000, `seed ${seed}: ${told}`);
    assert.ok(told.at(-1)?.startsWith("client answers"), `seed ${seed}: ${told}`);
  }
});

test("half a second of darkness is no reason to doubt, and the server never doubts by itself", async () => {
  for (let seed = 50; seed < 60; seed++) {
    assert.deepEqual(await dark(seed, 490, "client"), [], `seed ${seed}`);
    assert.deepEqual(await dark(seed, 3_000, "server"), [], `seed ${seed}`);
  }
});

test("a suspicion is told again while it lasts", async () => {
  const told = await dark(60, 15_000, "client");
  const suspicions = told.filter((one) => one.startsWith("client suspect")).length;
  assert.ok(suspicions >= 5 && suspicions <= 15, `${told}`);
});

test("after eight hours of sleep the keys are renewed before any data", async () => {
  const world = new ChannelWorld({ seed: 9, link: LINK, endpoint: { rekeyLimits: REKEY_LIMITS } });
  const { client, server } = await world.connected();
  // Linux: the monotonic clock stood still.
  world.client.endpoint.resume(world.clock.now(), 8 * 3_600_000);
  const sizes: number[] = [];
  world.network.tap = (bytes, from) => {
    if (from.host === CLIENT.host && (((bytes[0] ?? 0) >> 4) & 3) === 0) sizes.push(bytes.length);
    return [bytes];
  };
  const moved = transfer(client, server, world.random.bytes(50_000));
  await world.until(moved);
  assert.equal(client.stats().epoch, 1);
  assert.ok(sizes.reduce((sum, size) => sum + size, 0) < 5_000, "in the old epoch only the keys leave");
});

test("a process that was stopped for a minute does not take it for a minute's silence", async () => {
  const world = new ChannelWorld({ seed: 10, link: LINK });
  const { client } = await world.connected();
  await world.clock.runUntilAsync(() => false, 1_000);
  world.client.pump.stop();
  const woken = world.clock.now() + 60_000;
  const { endpoint } = world.client;
  endpoint.tick(woken);
  assert.equal(client.closeInfo, undefined);
  const asked = endpoint.nextDatagram(woken);
  assert.ok(asked, "it asks whether the peer is still there");
});

test("rebinding in the middle of a rekey harms neither", async () => {
  await withSeeds(5, async (seed) => {
    const world = new ChannelWorld({ seed, link: { ...LINK, loss: 0.05 } });
    const { client, server } = await world.connected();
    const bytes = world.random.bytes(300_000);
    const moved = transfer(server, client, bytes);
    for (let epoch = 1; epoch <= 5; epoch++) {
      const done = client.rekey();
      await world.clock.runUntilAsync(() => false, 5 * epoch);
      world.client.socket.rebind({ ...CLIENT, port: CLIENT.port + epoch });
      assert.deepEqual(await world.until(done), { epoch });
    }
    assert.ok(Buffer.from(await world.until(moved)).equals(bytes));
  });
});

/** Two devices that are both server and client of each other. */
function equals(seed: number) {
  const world = new ChannelWorld({ seed, link: LINK });
  const end = (address: Address, own: "server" | "client"): ChannelEnd => {
    const [identity, other] =
      own === "server" ? [world.serverKey, world.clientKey] : [world.clientKey, world.serverKey];
    return new ChannelEnd(world, address, {
      ...world.server.options,
      identity,
      lookup: (key) => (Buffer.from(key).equals(other.public) ? { psk: world.psk, id: "peer" } : undefined),
    });
  };
  const a = end({ host: "10.0.5.1", port: 1 }, "server");
  const b = end({ host: "10.0.5.2", port: 1 }, "client");
  const dial = (from: ChannelEnd, to: Address, peerStatic: Uint8Array): void => {
    from.endpoint.connect({ to: [to], peerStatic, psk: world.psk, id: "peer" }, world.clock.now());
    from.pump.turn();
  };
  return {
    world,
    a,
    b,
    dialA: () => dial(a, { host: "10.0.5.2", port: 1 }, world.clientKey.public),
    dialB: () => dial(b, { host: "10.0.5.1", port: 1 }, world.serverKey.public),
  };
}

test("two devices that dial each other at once end with one connection, the same on both sides", async () => {
  await withSeeds(30, async (seed) => {
    const { world, a, b, dialA, dialB } = equals(seed);
    world.network.link = { ...LINK, jitterMs: 30, loss: seed % 3 === 0 ? 0.2 : 0 };
    dialA();
    await world.clock.runUntilAsync(() => false, world.random.integer(60));
    dialB();
    await world.clock.runUntilAsync(() => false, 12_000);
    const live = (end: ChannelEnd): Session[] => end.sessions.filter((session) => !session.closeInfo);
    assert.equal(live(a).length, 1);
    assert.equal(live(b).length, 1);
    const [one] = live(a);
    const [other] = live(b);
    assert.ok(one && other);
    assert.deepEqual(await world.until(transfer(one, other, Uint8Array.of(1))), Uint8Array.of(1));
    for (const session of [...a.sessions, ...b.sessions])
      if (session.closeInfo) assert.equal(session.closeInfo.error?.code, "DUPLICATE_DIAL");
  });
});

test("a device that dials again much later, because it has restarted, is not a crossing", async () => {
  const { world, a, b, dialA, dialB } = equals(99);
  dialA();
  await world.clock.runUntilAsync(() => a.sessions.length === 1 && b.sessions.length === 1, 1_000);
  await world.clock.runUntilAsync(() => false, 11_000);
  dialB();
  await world.clock.runUntilAsync(() => a.sessions.length === 2, 2_000);
  await world.clock.runUntilAsync(() => false, 500);
  assert.equal(a.sessions[0]?.closeInfo?.error?.code, "REPLACED");
  assert.equal(a.sessions[1]?.closeInfo, undefined);
});

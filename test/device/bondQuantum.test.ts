import assert from "node:assert/strict";
import { test } from "node:test";
import { bondToStored } from "#bonds/bond.js";
import type { Crypto } from "#crypto/crypto.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { bondFrom } from "#device/bondBook.js";
import type { PeerSession } from "#device/channel.js";
import { acceptExchange, OWN_UPGRADES, offerExchange } from "#device/quantum.js";
import { HandfastError } from "#kernel/errors.js";
import type { ByteStream } from "#kernel/ports.js";
import { GOOD_LINK, TERRIBLE_LINK } from "../simulation/network.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { withSeeds } from "../simulation/seeds.js";
import { streamPair } from "../support/streamPair.js";
import { BondWorld, PC } from "./bondWorld.js";

const PROMISED = { state: "provisional", postQuantum: "promised" } as const;

async function visit(world: BondWorld, timeoutMs = 10_000): Promise<string> {
  const bond = world.phone.disk.bonds()[0] ?? assert.fail();
  try {
    const { session, bond: now } = await world.until(world.phone.device.connect(bond, { at: [PC], timeoutMs }));
    assert.equal(now.state, "confirmed");
    await world.pass(100);
    void session.close();
    await world.pass(200);
    return "connected";
  } catch (error) {
    return error instanceof HandfastError ? error.code : String(error);
  }
}

const onDisk = (world: BondWorld): unknown[] =>
  [world.phone, world.pc].map(({ disk }) => [disk.bonds()[0]?.state, disk.bonds()[0]?.postQuantum]);

test("what both promised while pairing is what the bond demands", () => {
  const random = new SeededRandom(1).bytes;
  const peer = {
    ...{ staticPublic: random(32), irk: random(16), psk: random(32), bondId: random(16) },
    ...{ name: "a", platform: "b", address: PC },
  };
  assert.equal(bondFrom({ ...peer, upgrades: OWN_UPGRADES }, 1).postQuantum, "promised");
  assert.equal(bondFrom({ ...peer, upgrades: OWN_UPGRADES | 0b10 }, 1).postQuantum, "promised");
  for (const upgrades of [0, 0b10]) assert.equal(bondFrom({ ...peer, upgrades }, 1).postQuantum, "none");
});

test("the first session makes the exchange before anybody gets it, and once is enough", async () => {
  const world = new BondWorld(1);
  await world.bonded(PROMISED);
  const got: PeerSession[] = [];
  world.pc.device.on("session", (peer) => {
    assert.equal(peer.bond.postQuantum, got.length === 0 ? "next" : "mixed");
    got.push(peer);
  });
  assert.equal(await visit(world), "connected");
  assert.equal(got[0]?.first, true);
  assert.deepEqual(onDisk(world), [
    ["confirmed", "next"],
    ["confirmed", "next"],
  ]);
  const [mine, theirs] = [world.phone, world.pc].map(({ disk }) => bondToStored(disk.bonds()[0] ?? assert.fail()));
  assert.equal(mine?.["next"], theirs?.["next"]);
  const { writes } = world.phone.store;
  for (let round = 0; round < 2; round++) assert.equal(await visit(world), "connected");
  assert.deepEqual(onDisk(world), [
    ["confirmed", "mixed"],
    ["confirmed", "mixed"],
  ]);
  assert.equal(world.phone.store.writes, writes + 2, "one write for each session again");
  assert.equal(got.length, 3);
});

test("streams of the first session reach the application as ever", async () => {
  const world = new BondWorld(2);
  const bond = await world.bonded(PROMISED);
  const received: string[] = [];
  world.pc.device.on("session", async ({ session }) => {
    for await (const stream of session.incomingStreams()) {
      for (let bytes = await stream.read(); bytes; bytes = await stream.read()) received.push(String(bytes));
    }
  });
  const { session } = await world.until(world.phone.device.connect(bond, { at: [PC] }));
  const stream = await session.openStream();
  await world.until(stream.write(Uint8Array.of(1, 2, 3)).then(() => stream.end()));

  await world.pass(500);
  assert.deepEqual(received, ["1,2,3"]);
});

test("a dropped exchange: no session on either side, and the bond stays provisional; afterwards it is made up for", async () => {
  const world = new BondWorld(3, { ...GOOD_LINK, delayMs: 5 });
  await world.bonded(PROMISED);
  const sessions: unknown[] = [];
  world.pc.device.on("session", (peer) => sessions.push(peer));
  // The channel's packets that could hold a key of 1184 bytes, or a ciphertext of 1088, never arrive.
  world.network.tap = (bytes) => ((bytes[0] ?? 0) >> 6 === 1 && bytes.length > 1000 ? [] : [bytes]);
  assert.equal(await visit(world), "PQ_MISSING");
  await world.pass(20_000);
  assert.deepEqual(onDisk(world), [
    ["provisional", "promised"],
    ["provisional", "promised"],
  ]);
  assert.equal(sessions.length, 0);
  assert.equal(world.pcErrors[0]?.code, "PQ_MISSING");
  world.network.tap = undefined;
  assert.equal(await visit(world), "connected");
  assert.equal(sessions.length, 1);
});

test("a side that was never promised the exchange and one that was do not end with a session", async () => {
  const world = new BondWorld(4);
  await world.bonded(PROMISED);
  const [atPhone] = world.phone.disk.bonds();
  assert.ok(atPhone);
  // Stripping it from one side's record is what TH makes impossible; this is what happens if somebody could.
  await world.phone.disk.update(atPhone.id, (bond) => ({ ...bond, postQuantum: "none" }));
  const sessions: unknown[] = [];
  world.pc.device.on("session", (peer) => sessions.push(peer));
  await visit(world);
  await world.pass(15_000);
  assert.equal(sessions.length, 0);
  assert.equal(world.pc.disk.bonds()[0]?.state, "provisional");
});

test("crashes at any moment of the first sessions: the exchange is made in the end, and both hold its secret", async () => {
  await withSeeds(25, async (seed) => {
    const world = new BondWorld(seed, TERRIBLE_LINK);
    await world.bonded(PROMISED);
    world.diskMs = 30;
    for (let round = 0; round < 4; round++) {
      const victim = world.random.chance(0.5) ? world.phone : world.pc;
      world.clock.schedule(200 * world.random.number(), () => void victim.crash());
      const lost = new Promise<string>((resolve) => world.clock.schedule(3000, () => resolve("lost")));
      const code = await Promise.race([visit(world, 1000), lost]);
      assert.notEqual(code, "BOND_COPIED");
    }
    world.network.link = GOOD_LINK;
    await world.pass(20_000);
    for (let round = 0; round < 3; round++) assert.equal(await visit(world), "connected");
    assert.deepEqual(onDisk(world), [
      ["confirmed", "mixed"],
      ["confirmed", "mixed"],
    ]);
    const [mine, theirs] = [world.phone, world.pc].map(({ disk }) => bondToStored(disk.bonds()[0] ?? assert.fail()));
    assert.equal(mine?.["next"], theirs?.["next"]);
    assert.ok(world.pcErrors.every(({ code }) => code !== "BOND_COPIED"));
  });
});

test("both sides derive one secret from key, ciphertext and handshake; each of them changes it", async () => {
  const random = new SeededRandom(9).bytes;
  const calls: string[] = [];
  const spy = <T>(name: string, value: T): T => {
    calls.push(name);
    return value;
  };
  const { mlKem768 } = nativeCrypto;
  const crypto: Crypto = {
    ...nativeCrypto,
    mlKem768: {
      keyPair: (seed) => spy("keyPair", mlKem768.keyPair(seed)),
      encapsulate: (key, coins) => spy("encapsulate", mlKem768.encapsulate(key, coins)),
      decapsulate: (secret, sealed) => spy("decapsulate", mlKem768.decapsulate(secret, sealed)),
    },
  };
  const handshake = { crypto, random, psk: random(32), exporter: random(32) };
  const run = async (client: typeof handshake, server: typeof handshake): Promise<[Uint8Array, Uint8Array]> => {
    const { a: here, b: there } = streamPair();
    const accepting = acceptExchange(server, there).then(async ({ secret, answer }) => {
      await answer();
      return secret;
    });
    return await Promise.all([offerExchange(client, here), accepting]);
  };
  const [mine, theirs] = await run(handshake, handshake);
  assert.deepEqual(mine, theirs);
  assert.deepEqual(calls, ["keyPair", "encapsulate", "decapsulate"]);
  for (const other of [
    { ...handshake, psk: random(32) },
    { ...handshake, exporter: random(32) },
  ]) {
    const [a, b] = await run(handshake, other);
    assert.notDeepEqual(a, b);
  }
});

test("whatever comes instead of key or ciphertext ends in PQ_MISSING", async () => {
  const random = new SeededRandom(10).bytes;
  const handshake = { crypto: nativeCrypto, random, psk: random(32), exporter: random(32) };
  const say = async (stream: ByteStream, bytes: Uint8Array): Promise<void> => {
    if (bytes.length > 0) await stream.write(bytes);
    await stream.end();
  };
  const messages = [0, 1, 1184, 1185, 1186, 5000].flatMap((length) =>
    [0, 1, 2, 255].map((type) => Uint8Array.of(type, ...random(length)).subarray(0, length)),
  );
  for (const message of messages) {
    const { a: here, b: there } = streamPair();
    const refused = assert.rejects(acceptExchange(handshake, there), { code: "PQ_MISSING" });
    await say(here, message);
    await refused;
  }
  for (const message of messages.filter(({ length }) => length !== 1089)) {
    const { a: here, b: there } = streamPair();
    const refused = assert.rejects(offerExchange(handshake, here), { code: "PQ_MISSING" });
    await say(there, message);
    await refused;
  }
});

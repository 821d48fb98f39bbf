import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bond, bondToStored } from "#bonds/bond.js";
import type { MemoryBondStore } from "#bonds/memoryStore.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { BondCopiedError, IdentityChangedError } from "#device/bondErrors.js";
import type { PeerSession } from "#device/channel.js";
import type { Host } from "#device/discoveryPort.js";
import { makeTag } from "#discovery/tag.js";
import { HandfastError } from "#kernel/errors.js";
import { PeerForgotUsError } from "#transport/dial.js";
import { buildResponse, RESPONSE_NOISE } from "#transport/handshakePackets.js";
import { BondWorld, copyOf, PC, PHONE } from "./bondWorld.js";

const stored = (disk: MemoryBondStore): unknown => [disk.bonds().map(bondToStored), disk.tombstones()];

async function connect(world: BondWorld, timeoutMs = 5000): Promise<PeerSession> {
  const bond = world.phone.disk.bonds().at(-1) ?? assert.fail("no bond");
  return await world.until(world.phone.device.connect(bond, { at: [PC], timeoutMs }));
}

async function refused(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
  } catch (error) {
    if (error instanceof HandfastError) return error.code;
    throw error;
  }
  return "connected";
}

async function pair(world: BondWorld): Promise<string> {
  world.pc.device.openPairing();
  const paired = world.phone.device.pair({ name: undefined, addresses: [PC] }, { compare: async () => true });
  return await refused(world.until(paired));
}

test("the PC forgets: sessions end at once, the phone is told when it proves itself, and its bond stays", async () => {
  const world = new BondWorld(1);
  await world.bonded();
  world.diskMs = 50;
  const { session } = await connect(world);
  await world.pass(200);
  const [bond] = world.pc.device.bonds();
  assert.ok(bond);
  const forgetting = world.pc.device.forget(bond);
  await world.pass(2);
  assert.equal(session.closeInfo?.error?.code, "BOND_REVOKED", "not only after the write");
  assert.equal(await world.until(forgetting), true);
  assert.equal(world.pc.disk.bonds().length, 0);
  assert.equal(world.pc.disk.tombstones()[0]?.name, "Ana's phone");
  const before = stored(world.phone.disk);
  for (let again = 0; again < 2; again++) {
    await world.pass(3000);
    assert.equal(await refused(connect(world)), "PEER_FORGOT_US");
  }
  assert.deepEqual(stored(world.phone.disk), before);
  assert.deepEqual(world.pcErrors, []);
});

test("the PC forgets a device that is just connecting: no session comes of it, and no bond comes back", async () => {
  for (let moment = 0; moment < 40; moment++) {
    const world = new BondWorld(moment);
    await world.bonded();
    world.diskMs = 20;
    const sessions: PeerSession[] = [];
    world.pc.device.on("session", (peer) => sessions.push(peer));
    const connecting = refused(connect(world));
    await world.pass(moment);
    const [bond] = world.pc.device.bonds();
    assert.ok(bond);
    await world.until(world.pc.device.forget(bond));
    await world.pass(6000);
    await connecting;
    assert.equal(world.pc.disk.bonds().length, 0, `after ${moment} ms`);
    assert.equal(world.pc.disk.tombstones().length, 1);
    for (const { session } of sessions) assert.ok(session.closeInfo, `after ${moment} ms`);
    assert.equal(await refused(connect(world)), "PEER_FORGOT_US");
  }
});

test("the phone forgets: the PC's session ends, the PC's bond stays, and the phone cannot connect any more", async () => {
  const world = new BondWorld(2);
  const bond = await world.bonded();
  let atPc: PeerSession | undefined;
  world.pc.device.on("session", (peer) => {
    atPc = peer;
  });
  await connect(world);
  await world.pass(100);
  const before = stored(world.pc.disk);
  // An old bond object names the device as well as a new one.
  assert.equal(await world.until(world.phone.device.forget(bond)), true);
  await world.pass(100);
  assert.equal(atPc?.session.closeInfo?.error?.code, "BOND_REVOKED");
  assert.deepEqual(stored(world.pc.disk), before);
  assert.equal(await refused(world.phone.device.connect(bond, { at: [PC] })), "BOND_GONE");
  assert.equal(await world.until(world.phone.device.forget(bond)), false);
});

test("no message from the network changes a bond: only the holder of the PC's key can say that it forgot us", async () => {
  const world = new BondWorld(3);
  await world.bonded();
  // What the same PC, with the same key, says to the same phone in another handshake, when it has forgotten it.
  const refusals: Uint8Array[] = [];
  const other = new BondWorld(3);
  await other.bonded();
  other.random.bytes(1);
  const [forgotten] = other.pc.device.bonds();
  if (forgotten) await other.until(other.pc.device.forget(forgotten));
  other.network.tap = (bytes, from) => {
    if (from.port === PC.port) refusals.push(bytes.slice());
    return [bytes];
  };
  assert.equal(await refused(connect(other)), "PEER_FORGOT_US");
  assert.ok(refusals.length > 0);

  await world.pc.stop();
  const before = stored(world.phone.disk);
  const { random } = world;
  world.network.tap = (bytes, from, to) => {
    if (to.port !== PC.port || from.port !== PHONE.port) return [bytes];
    const scid = bytes.slice(5, 13);
    const dcid = { dcid: scid, scid: random.bytes(8), random: random.bytes };
    const answers = [
      buildResponse({ ...dcid, noise: random.bytes(RESPONSE_NOISE) }),
      // The refusal meant for another Init, readdressed.
      ...refusals.map((refusal) => {
        const copy = refusal.slice();
        copy.set(scid, 5);
        return copy;
      }),
      Uint8Array.from([0x85, 1, 12, 0x48, ...random.bytes(8), 3, 8]),
      Uint8Array.from([0x41, ...random.bytes(43)]),
      random.bytes(60),
    ];
    for (const answer of answers) world.network.inject(answer, PC, PHONE);
    return [bytes];
  };
  assert.equal(await refused(connect(world)), "NOT_REACHABLE");
  assert.deepEqual(stored(world.phone.disk), before);
  world.network.tap = undefined;
  await world.pc.crash();
  assert.equal(await refused(connect(world)), "connected");
});

test("pairing again: the new bond replaces the old one on both sides, and a copy of the old one is worth nothing", async () => {
  const world = new BondWorld(4);
  const old = await world.bonded();
  await connect(world);
  const thief = world.device({ host: "10.0.0.66", port: 6666 }, await copyOf(world.phone.disk));
  await world.pass(3000);
  assert.equal(await pair(world), "connected");
  await world.pass(1000);
  for (const { disk } of [world.pc, world.phone]) {
    assert.equal(disk.bonds().length, 1);
    assert.notEqual(disk.bonds()[0]?.id, old.id);
    assert.equal(disk.bonds()[0]?.state, "confirmed");
    assert.equal(disk.tombstones().length, 0);
  }
  await world.pass(3000);
  const stolen = thief.disk.bonds()[0] ?? assert.fail();
  assert.equal(
    await refused(world.until(thief.device.connect(stolen, { at: [PC], timeoutMs: 3000 }))),
    "NOT_REACHABLE",
  );
  await world.pass(3000);
  assert.equal(await refused(connect(world)), "connected");
});

test("pairing again on a clock that was set back: the new bond is still the newer one", async () => {
  const world = new BondWorld(9);
  const old = await world.bonded({ createdAt: Math.trunc(world.clock.wall()) + 1e10 });
  assert.equal(await pair(world), "connected");
  await world.pass(1000);
  for (const { disk } of [world.pc, world.phone])
    assert.deepEqual(
      disk.bonds().map(({ id, state }) => [id !== old.id, state]),
      [[true, "confirmed"]],
    );
});

test("a clock that nobody has set: devices pair, connect and forget", async () => {
  const world = new BondWorld(10);
  world.clock.wall = () => -123.5;
  assert.equal(await pair(world), "connected");
  await world.pass(3000);
  assert.equal(await refused(connect(world)), "connected");
  const [bond] = world.pc.device.bonds();
  assert.ok(bond);
  assert.equal(await world.until(world.pc.device.forget(bond)), true);
});

test("pairing again, cut off at each message of pairing and of the first session: the old bond still works", async () => {
  const messages = await countMessages();
  assert.ok(messages > 12, `${messages}`);
  for (let last = 0; last < messages; last++) {
    const world = new BondWorld(5);
    const old = await world.bonded();
    let seen = 0;
    world.network.tap = (bytes) => (seen++ < last ? [bytes] : []);
    await pair(world);
    assert.ok(
      world.pc.disk.bonds().some(({ id }) => id === old.id) || world.pc.disk.bonds()[0]?.state === "confirmed",
      "the old bond goes only when the new one is confirmed",
    );
    world.network.tap = undefined;
    await world.pass(130_000);
    const { bond } = await connect(world);
    assert.equal(bond.state, "confirmed", `cut after ${last}`);
    await world.pass(3000);
    assert.equal(await refused(connect(world)), "connected", `cut after ${last}`);
    // A session that was cut off in the middle of the exchange is one that did not finish it.
    for (const { code } of world.pcErrors) assert.equal(code, "PQ_MISSING");
  }
});

async function countMessages(): Promise<number> {
  const world = new BondWorld(5);
  await world.bonded();
  assert.equal(await pair(world), "connected");
  return world.network.counters.sent;
}

test("a bond that nobody finished counts for 24 hours and no longer", async () => {
  const DAY = 24 * 60 * 60_000;
  for (const [age, outcome] of [
    [DAY - 5000, "connected"],
    [DAY + 5000, "NOT_REACHABLE"],
  ] as const) {
    const world = new BondWorld(8);
    await world.bonded({ state: "provisional", createdAt: Math.trunc(world.clock.wall() - age) });
    assert.equal(await refused(connect(world, 2000)), outcome);
  }
});

test("its identity changed: only said when nobody answered and another device stands in its place", async () => {
  const stranger = (changes: Partial<Host>): Host => ({
    ...{ instance: "x", port: 9, addresses: ["10.9.9.9"], name: undefined, pairing: false },
    tag: makeTag(nativeCrypto, new Uint8Array(16).fill(7), (length) => new Uint8Array(length).fill(3)),
    ...changes,
  });
  const cases: readonly (readonly [what: string, host: (bond: Bond) => Host, code: string])[] = [
    [
      "at its address and port",
      () => stranger({ addresses: ["10.9.9.9", PC.host], port: PC.port }),
      "IDENTITY_CHANGED",
    ],
    ["with its name, pairing", () => stranger({ name: "Ana's PC", pairing: true }), "IDENTITY_CHANGED"],
    ["at its address, another port", () => stranger({ addresses: [PC.host] }), "NOT_REACHABLE"],
    ["with another name", () => stranger({ name: "Ana's Pc", pairing: true }), "NOT_REACHABLE"],
    ["somewhere else", () => stranger({}), "NOT_REACHABLE"],
    ["without a tag", () => stranger({ addresses: [PC.host], port: PC.port, tag: undefined }), "NOT_REACHABLE"],
    [
      "the PC itself, deaf",
      (bond) =>
        stranger({
          ...{ addresses: [PC.host], port: PC.port },
          tag: makeTag(nativeCrypto, bond.irk.reveal(), (length) => new Uint8Array(length).fill(3)),
        }),
      "NOT_REACHABLE",
    ],
  ];
  for (const [what, host, code] of cases)
    for (const alive of [true, false]) {
      const world = new BondWorld(6);
      const bond = await world.bonded();
      world.phone.discovery.hosts.push(host(bond));
      if (!alive) await world.pc.stop();
      const before = stored(world.phone.disk);
      assert.equal(await refused(connect(world, 2000)), alive ? "connected" : code, what);
      if (!alive) assert.deepEqual(stored(world.phone.disk), before, what);
      const told = alive || code !== "IDENTITY_CHANGED" ? 0 : 1;
      assert.deepEqual(world.phone.device.stats().warnings, { identityChanged: told, bondCopied: 0 }, what);
    }
});

test("three situations, three codes, and each says what to do", () => {
  const errors = [
    new PeerForgotUsError(),
    new BondCopiedError("d", "Ana's PC"),
    new IdentityChangedError("d", "Ana's PC"),
  ];
  assert.deepEqual(
    errors.map(({ code }) => code),
    ["PEER_FORGOT_US", "BOND_COPIED", "IDENTITY_CHANGED"],
  );
  assert.equal(new Set(errors.map(({ message }) => message)).size, 3);
  for (const { message } of errors) assert.match(message, /[Ff]orget it .*pair/);
});

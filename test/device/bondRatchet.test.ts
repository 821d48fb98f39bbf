import assert from "node:assert/strict";
import { test } from "node:test";
import { bondToStored } from "#bonds/bond.js";
import type { PeerSession } from "#device/channel.js";
import { Server } from "#device/server.js";
import { toHex } from "#kernel/bytes.js";
import { HandfastError } from "#kernel/errors.js";
import { decodeParameters, encodeParameters, NO_PARAMETERS } from "#transport/params.js";
import { GOOD_LINK, TERRIBLE_LINK } from "../simulation/network.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { withSeeds } from "../simulation/seeds.js";
import { ChannelWorld, SERVER } from "../support/channel.js";
import { BondWorld, copyOf, Machine, PC } from "./bondWorld.js";

const THIEF = { host: "10.0.0.66", port: 6666 };

/** Connects and hangs up; the code of the error, if one came. */
async function visit(world: BondWorld, phone = world.phone, timeoutMs = 10_000): Promise<string | undefined> {
  const [bond] = phone.disk.bonds();
  assert.ok(bond);
  try {
    const { session } = await world.until(phone.device.connect(bond, { at: [PC], timeoutMs }));
    await world.pass(50);
    void session.close();
    await world.pass(100);
    return undefined;
  } catch (error) {
    return error instanceof HandfastError ? error.code : String(error);
  }
}

const generations = (world: BondWorld): (number | undefined)[] =>
  [world.phone, world.pc].map(({ disk }) => disk.bonds()[0]?.generation);

test("each connection moves the secret on, on both sides alike", async () => {
  const world = new BondWorld(1);
  const bond = await world.bonded();
  const seen = new Set([toHex(bond.secret.reveal())]);
  for (let round = 0; round < 4; round++) {
    assert.equal(await visit(world), undefined);
    assert.deepEqual(generations(world), [round, round]);
    const [mine, theirs] = [world.phone.disk.bonds()[0], world.pc.disk.bonds()[0]];
    assert.ok(mine?.next && theirs?.next && mine.lineage && theirs.lineage);
    for (const key of ["secret", "next", "lineage"] as const)
      assert.equal(bondToStored(mine)[key], bondToStored(theirs)[key], key);
    const next = toHex(mine.next.reveal());
    assert.ok(!seen.has(next));
    seen.add(next);
  }
});

test("a reconnect is one round trip and two writes, the client's before its first packet", async () => {
  for (const diskMs of [0, 40]) {
    const world = new BondWorld(2, { ...GOOD_LINK, delayMs: 10 });
    const bond = await world.bonded();
    world.diskMs = diskMs;
    let firstPacket = 0;
    world.network.tap = (bytes, _from, to) => {
      if (to.port === PC.port && (bytes[0] ?? 0) >> 6 === 1 && firstPacket++ === 0)
        assert.equal(world.phone.disk.bonds()[0]?.next !== undefined, true, "the next secret is on disk");
      return [bytes];
    };
    let answered: PeerSession | undefined;
    let serverAt = 0;
    world.pc.device.on("session", (peer) => {
      answered = peer;
      serverAt = world.clock.now();
    });
    const start = world.clock.now();
    await world.until(world.phone.device.connect(bond, { at: [PC] }));
    const client = world.clock.now() - start;
    await world.clock.runUntilAsync(() => answered !== undefined, 1000);
    const server = serverAt - start;
    // One round trip is 20 ms, and half of one brings the first packet; each side writes once, for `diskMs` at most.
    assert.ok(client >= 20 && client <= 20 + diskMs, `client after ${client} ms`);
    assert.ok(server >= client + 10 && server <= client + 10 + diskMs, `server after ${server} ms`);
    assert.deepEqual([world.phone.store.writes, world.pc.store.writes], [1, 1]);
    assert.equal(world.network.counters.lost, 0);
  }
});

test("crashes at any moment on a terrible network: never a false alarm, always a common secret", async () => {
  await withSeeds(70, async (seed) => {
    const world = new BondWorld(seed, TERRIBLE_LINK);
    await world.bonded();
    world.diskMs = 30;
    const recorded: Uint8Array[] = [];
    world.network.tap = (bytes, from, to) => {
      // Somebody records the handshakes and plays them again.
      if (to.port === PC.port && (bytes[0] ?? 0) >> 4 === 0b1100) recorded.push(bytes.slice());
      const old = recorded[world.random.integer(Math.max(1, recorded.length))];
      if (old && world.random.chance(0.2)) world.network.inject(old, from, to);
      // And lets data packets to the PC wait, long enough to meet those of later connections.
      if (to.port !== PC.port || (bytes[0] ?? 0) >> 6 !== 1 || world.random.chance(0.4)) return [bytes];
      world.clock.schedule(3000 * world.random.number(), () => world.network.inject(bytes, from, to));
      return [];
    };
    for (let round = 0; round < 8; round++) {
      const victim = world.random.chance(0.5) ? world.phone : world.pc;
      if (world.random.chance(0.7)) world.clock.schedule(80 * world.random.number(), () => void victim.crash());
      const code = await Promise.race([visit(world, world.phone, 600), lost(world, 1500)]);
      assert.ok([undefined, "NOT_REACHABLE", "CANCELLED", "lost"].includes(code), `round ${round}: ${code}`);
      assert.deepEqual(
        world.pcErrors.map(({ code: each }) => each),
        [],
      );
    }
    world.network.link = GOOD_LINK;
    world.network.tap = undefined;
    await world.pass(20_000);
    assert.equal(await visit(world), undefined);
    assert.equal(await visit(world), undefined);
    const [mine, theirs] = [world.phone.disk.bonds()[0], world.pc.disk.bonds()[0]];
    assert.ok(mine?.next && theirs?.next);
    assert.equal(toHex(mine.next.reveal()), toHex(theirs.next.reveal()));
  });
});

/** A device that died in the middle never answers its own promise. */
function lost(world: BondWorld, ms: number): Promise<string> {
  return new Promise((resolve) => world.clock.schedule(ms, () => resolve("lost")));
}

test("a copy of the phone is refused once the phone has been back, both screens say so, and the phone goes on", async () => {
  const world = new BondWorld(3);
  await world.bonded();
  await visit(world);
  const stolen = await copyOf(world.phone.disk);
  await visit(world);
  await visit(world);
  await world.pass(3000);
  const before = bondToStored((await copyOf(world.pc.disk)).bonds()[0] ?? assert.fail());
  const thief = world.device(THIEF, stolen);
  assert.equal(await visit(world, thief), "BOND_COPIED");
  await world.pass(100);
  const [alarm, ...more] = world.pcErrors;
  assert.equal(alarm?.code, "BOND_COPIED");
  assert.match(alarm?.message ?? "", /Ana's phone.*Forget it on both devices/);
  assert.equal(more.length, 0);
  assert.deepEqual(
    [world.pc, thief].map(({ device }) => device.warnings.bondCopied),
    [1, 1],
  );
  assert.deepEqual(bondToStored(world.pc.disk.bonds()[0] ?? assert.fail()), before, "the alarm changes nothing");
  await world.pass(3000);
  assert.equal(await visit(world), undefined);
  assert.equal(world.pcErrors.length, 1);
});

test("a copy that was used first: the phone itself raises the alarm", async () => {
  const world = new BondWorld(4);
  await world.bonded();
  await visit(world);
  const thief = world.device(THIEF, await copyOf(world.phone.disk));
  assert.equal(await visit(world, thief), undefined, "nobody can know yet");
  await world.pass(3000);
  assert.equal(await visit(world, thief), undefined);
  await world.pass(3000);
  assert.equal(await visit(world), "BOND_COPIED");
  await world.pass(100);
  assert.equal(world.pcErrors[0]?.code, "BOND_COPIED");
  assert.equal(world.phone.disk.bonds().length, 1, "the bond stays until a person forgets it");
});

test("a copy of the PC is told apart by the phone once the PC has been visited twice", async () => {
  const world = new BondWorld(12);
  const bond = await world.bonded();
  await visit(world);
  const address = { host: "10.0.0.77", port: 4760 };
  const copy = new Machine(
    world,
    address,
    (ports) => new Server(ports, { name: "Ana's PC", platform: "test", service: "handfast" }),
    await copyOf(world.pc.disk),
  );
  await visit(world);
  await visit(world);
  const meeting = world.until(world.phone.device.connect(bond, { at: [address], timeoutMs: 3000 }));
  await assert.rejects(meeting, { code: "BOND_COPIED" });
  assert.equal(copy.disk.bonds().length, 1);
  await world.pass(3000);
  assert.equal(await visit(world), undefined);
});

test("both used in turn: somebody is refused at the latest when one connects twice running", async () => {
  await withSeeds(20, async (seed) => {
    const world = new BondWorld(seed);
    await world.bonded();
    await visit(world);
    const thief = world.device(THIEF, await copyOf(world.phone.disk));
    let codes: (string | undefined)[] = [];
    let previous = 0;
    for (let round = 0; round < 12; round++) {
      const who = world.random.integer(2);
      await world.pass(3000);
      const twice = round > 0 && who === previous;
      codes.push(await visit(world, who === 0 ? world.phone : thief));
      if (twice) {
        await world.pass(3000);
        codes.push(await visit(world, who === 0 ? thief : world.phone));
        break;
      }
      previous = who;
    }
    codes = codes.filter((code) => code !== undefined);
    assert.deepEqual(codes, ["BOND_COPIED"]);
  });
});

test("a handshake under the lineage is an alarm and no session; without the server's mark it would be one", async () => {
  for (const marked of [true, false]) {
    const world = new ChannelWorld({ seed: 1 });
    const lineage = world.random.bytes(32);
    const known = { psk: world.psk, id: "client", choose: () => ({ psk: lineage, copied: marked }) };
    world.bond = known;
    const secrets = marked ? { psk: world.psk, lineages: [lineage] } : { psk: lineage };
    const options = { to: [SERVER], peerStatic: world.serverKey.public, id: "server", ...secrets };
    world.client.endpoint.connect(options, world.clock.now());
    world.client.pump.turn();
    await world.clock.runUntilAsync(() => false, 2000);
    for (const end of [world.client, world.server]) {
      assert.deepEqual(
        end.events.map(({ type }) => type),
        [marked ? "copied" : "connected"],
      );
      assert.equal(end.sessions.length, marked ? 0 : 1);
    }
  }
});

test("an old Init played again raises nothing and moves nothing", async () => {
  const world = new BondWorld(5);
  await world.bonded();
  const recorded: Uint8Array[] = [];
  world.network.tap = (bytes, _from, to) => {
    if (to.port === PC.port && (bytes[0] ?? 0) >> 4 === 0b1100) recorded.push(bytes.slice());
    return [bytes];
  };
  for (let round = 0; round < 3; round++) await visit(world);
  world.network.tap = undefined;
  await world.pass(60_000);
  const before = bondToStored(world.pc.disk.bonds()[0] ?? assert.fail());
  for (const init of recorded) {
    world.network.inject(init, THIEF, PC);
    await world.pass(3000);
  }
  assert.ok(recorded.length >= 3);
  assert.deepEqual(world.pcErrors, []);
  assert.deepEqual(bondToStored(world.pc.disk.bonds()[0] ?? assert.fail()), before);
});

test("a disk that is full: no session, the person is told, and the pair works again afterwards", async () => {
  for (const side of ["phone", "pc"] as const) {
    const world = new BondWorld(6);
    const bond = await world.bonded();
    await visit(world);
    const { store } = world[side];
    const sessions: unknown[] = [];
    world.pc.device.on("session", (peer) => sessions.push(peer));
    store.failure = new HandfastError("STATE_UNWRITABLE", "disk full");
    if (side === "phone")
      await assert.rejects(world.until(world.phone.device.connect(bond, { at: [PC] })), { code: "STATE_UNWRITABLE" });
    else {
      const { session } = await world.until(world.phone.device.connect(bond, { at: [PC] }));
      await world.pass(500);
      assert.ok(session.closeInfo);
      assert.equal(sessions.length, 0);
      assert.equal(world.pcErrors[0]?.code, "STATE_UNWRITABLE");
    }
    store.failure = undefined;
    await world.pass(3000);
    assert.equal(await visit(world), undefined);
  }
});

test("an Init names eight secrets at most, each by eight bytes", () => {
  const random = new SeededRandom(1).bytes;
  const hints = (count: number): Uint8Array[] => Array.from({ length: count }, () => random(8));
  for (const count of [0, 1, 8]) {
    const bondHints = hints(count);
    assert.deepEqual(decodeParameters(encodeParameters({ ...NO_PARAMETERS, bondHints }, random)).bondHints, bondHints);
  }
  for (const bondHints of [hints(9), [random(7)], [random(8), random(1)]])
    assert.throws(() => decodeParameters(encodeParameters({ ...NO_PARAMETERS, bondHints }, random)), {
      code: "TRANSPORT_PARAMETER_ERROR",
    });
});

test("a dial that is given up while its step is being written sends nothing and ends nothing", async () => {
  const world = new BondWorld(8);
  const bond = await world.bonded();
  const first = await world.until(world.phone.device.connect(bond, { at: [PC] }));
  await world.pass(3000);
  world.diskMs = 1000;
  const abort = new AbortController();
  const second = world.phone.device.connect(bond, { at: [PC], signal: abort.signal });
  await world.pass(5);
  abort.abort();
  await assert.rejects(second);
  await world.pass(5000);
  assert.equal(first.session.closeInfo, undefined, "the session that was there is still there");
  world.diskMs = 0;
  assert.equal(await visit(world), undefined);
});

test("dials that run at once end with one session, and one write on each side", async () => {
  const world = new BondWorld(7);
  const bond = await world.bonded();
  const both = [world.phone.device.connect(bond, { at: [PC] }), world.phone.device.connect(bond, { at: [PC] })];
  const [one, two] = await world.until(Promise.all(both));
  assert.equal(one?.session, two?.session);
  await world.pass(100);
  assert.equal(one?.session.closeInfo, undefined);
  assert.deepEqual([world.phone.store.writes, world.pc.store.writes], [1, 1]);
});

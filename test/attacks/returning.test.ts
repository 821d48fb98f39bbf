import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBondStore } from "#bonds/memoryStore.js";
import { Secret } from "#bonds/secret.js";
import { withAdvice } from "#cli/advice.js";
import { exitCodeOf } from "#cli/exitCodes.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { bondFrom, dropStale } from "#device/bondBook.js";
import { BondCopiedError, IdentityChangedError } from "#device/bondErrors.js";
import { equalConstantTime, toHex } from "#kernel/bytes.js";
import { TYPE } from "#pairing/messages.js";
import { MODEL } from "#pairing/models.js";
import { errorForReason, REASON } from "#pairing/reasons.js";
import { NotReachableError, PeerForgotUsError } from "#transport/dial.js";
import { INIT_HEAD, NoiseInitiator, NoiseResponder } from "#transport/noise.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { ChannelWorld, CLIENT, SERVER } from "../support/channel.js";
import { Attacker, EVE } from "./attacker.js";
import { DeviceStage, PHONE } from "./deviceStage.js";
import { blameTheBond, breakRepairing, replayInit, sameKeysTwice, useProvisionalBond } from "./stories/comingBack.js";

test("row 14: nobody can swap the roles: a client's own Init, or the server's Response, sent back or to the other side, is met with silence", async () => {
  const world = new ChannelWorld({ seed: 14 });
  const wire = new Attacker(world.network);
  await world.connected();
  const handshake = wire.seen.filter(({ bytes }) => (bytes[0] ?? 0) >= 0xc0);
  assert.ok(handshake.length >= 2);
  const before = { sessions: world.server.sessions.length, sent: wire.seen.length };
  for (const { bytes, from } of handshake) {
    wire.inject(bytes, from.port === CLIENT.port ? SERVER : CLIENT, from); // reflected
    wire.inject(bytes, EVE, from.port === CLIENT.port ? CLIENT : SERVER);
  }
  await world.clock.runUntilAsync(() => false, 3000);
  assert.equal(world.server.sessions.length, before.sessions);
  assert.equal(world.client.sessions.length, 1);
  assert.equal(wire.seen.slice(before.sent).filter(({ bytes }) => (bytes[0] ?? 0) >= 0xc0).length, 0);
});

test("row 15: a forged Response, and data before the Response, reach no application", async () => {
  const world = new ChannelWorld({ seed: 15 });
  const wire = new Attacker(world.network);
  const random = new SeededRandom(15);
  wire.intercept(({ bytes, from, to }) => {
    if (from.port !== SERVER.port || (bytes[0] ?? 0) < 0xc0) return undefined;
    const forged = bytes.slice();
    forged.set(random.bytes(forged.length - 21), 21);
    wire.inject(forged, from, to);
    const data = random.bytes(1200);
    data[0] = 0x40 | ((data[0] ?? 0) & 0x3f);
    data.set(bytes.subarray(5, 13), 1); // to the connection the client has named
    wire.inject(data, from, to);
    return "drop";
  });
  world.dial();
  await world.clock.runUntilAsync(() => world.client.events.length > 0, 30_000);
  assert.deepEqual(
    world.client.events.map(({ type }) => type),
    ["failed"],
  );
  assert.equal(world.client.sessions.length, 0);
});

test("row 15: a bond that the channel has not confirmed authorises nothing", async () => {
  const { succeeded, why } = await useProvisionalBond(15);
  assert.equal(succeeded, false, why);
});

test("row 16: one key, one transport: pairing again leaves the working bond untouched until the new one is confirmed", async () => {
  const stage = new DeviceStage({ seed: 16 });
  assert.equal(await stage.pair(), "paired");
  const [old] = stage.pcStore.bonds();
  const secret = toHex(old?.secret.reveal() ?? new Uint8Array());
  // Cut before the channel can confirm: the new bond lies beside the old one.
  stage.wire.intercept(({ bytes }) => ((bytes[0] ?? 0) >= 0xc0 ? "drop" : undefined));
  await stage.pair();
  const stored = stage.pcStore.bonds();
  assert.deepEqual(stored.map(({ state }) => state).sort(), ["confirmed", "provisional"]);
  assert.ok(stored.some((bond) => toHex(bond.secret.reveal()) === secret && bond.state === "confirmed"));
});

test("row 17: no old session key comes back: a replayed Response is refused, and an equal ephemeral key on one side still gives other keys", async () => {
  const { succeeded, why } = await sameKeysTwice(17);
  assert.equal(succeeded, false, why);
  // A client whose random source is stuck sends the same Init twice; the server's fresh key makes the difference.
  const [initiator, responder, ephemeral] = [1, 2, 3].map((i) =>
    nativeCrypto.x25519KeyPair(new Uint8Array(32).fill(i)),
  );
  assert.ok(initiator && responder && ephemeral);
  const [none, psk] = [new Uint8Array(0), new Uint8Array(32)];
  const exporters = [7, 8].map((fresh) => {
    const dial = { crypto: nativeCrypto, prologue: none, own: initiator, ephemeral, peerStatic: responder.public };
    const [client, server] = [
      new NoiseInitiator(dial),
      new NoiseResponder({ crypto: nativeCrypto, prologue: none, own: responder }),
    ];
    const init = client.writeInit(none) ?? none;
    server.readStatic(init.subarray(0, INIT_HEAD));
    server.readPayload(init.subarray(INIT_HEAD));
    const own = nativeCrypto.x25519KeyPair(new Uint8Array(32).fill(fresh));
    const answer = server.writeResponse(none, own, psk);
    const read = client.readResponse(answer?.message ?? none, psk);
    assert.ok(answer && read);
    assert.equal(toHex(read.result.exporter), toHex(answer.result.exporter));
    return toHex(read.result.exporter);
  });
  assert.notEqual(exporters[0], exporters[1]);
});

test("row 18: no network message starts, weakens or deletes a bond", async () => {
  const { succeeded, why } = await blameTheBond(18);
  assert.equal(succeeded, false, why);
  for (const cut of Object.values(TYPE)) {
    const broken = await breakRepairing(180 + cut, cut);
    assert.equal(broken.succeeded, false, `cut at message ${cut}: ${broken.why}`);
  }
});

test("row 18: a recorded first packet changes nothing", async () => {
  const { succeeded, why } = await replayInit(18);
  assert.equal(succeeded, false, why);
});

test("row 19: an attack, trouble and a change of mind read differently, so that nobody learns to press again", () => {
  const codes = (reasons: readonly number[]): string[] =>
    reasons.map((reason) => errorForReason(reason, MODEL.numeric).code);
  const attack = codes([REASON.CONFIRM_VALUE_FAILED, REASON.DHKEY_CHECK_FAILED, REASON.KEY_REJECTED]);
  const trouble = codes([REASON.TIMEOUT, REASON.BUSY, REASON.STORAGE_FAILED, REASON.VERSION, REASON.UNSPECIFIED]);
  assert.deepEqual(new Set(attack), new Set(["POSSIBLE_ATTACK"]));
  assert.ok(!trouble.includes("POSSIBLE_ATTACK"));
  assert.equal(new Set(trouble).size, trouble.length);
  assert.match(errorForReason(REASON.CONFIRM_VALUE_FAILED, MODEL.numeric).message, /between you/);
});

test("row 19: a changed identity has its own text, which says no before it says how, and a status that scripts can tell", () => {
  const changed = withAdvice(new IdentityChangedError("0123456789abcdef", "Ana's PC"));
  assert.match(
    changed.message,
    /Ana's PC.*another identity.*posing as it: do not pair\. Only if you know why: handfast forget/,
  );
  const others = [
    withAdvice(new PeerForgotUsError()),
    withAdvice(new BondCopiedError("0123456789abcdef", "Ana's PC")),
    errorForReason(REASON.CONFIRM_VALUE_FAILED, MODEL.numeric),
    errorForReason(REASON.TIMEOUT, MODEL.numeric),
    new NotReachableError(),
  ];
  for (const { code, message } of others) {
    assert.notEqual(code, changed.code);
    assert.doesNotMatch(message, /another identity/);
  }
  const statuses = [changed, ...others].map(exitCodeOf);
  assert.deepEqual(statuses, [7, 4, 7, 7, 8, 3]);
});

test("row 19: the PC that forgot us says so only after it has proved itself", async () => {
  const stage = new DeviceStage({ seed: 19 });
  await stage.pair();
  const [onPc] = stage.server.bonds();
  assert.ok(onPc);
  await stage.server.forget(onPc);
  await stage.wait(5000);
  const restarted = stage.phone(stage.phoneStore, { ...PHONE, port: 50_001 });
  assert.equal(await stage.connect(restarted), "PEER_FORGOT_US");
  assert.equal(stage.phoneStore.bonds().length, 1, "the client's bond is for its person to forget");
});

test("row 23: a bond that names somebody else's key cannot be confirmed, leaves the real one working, and is gone after a day", async () => {
  const stage = new DeviceStage({ seed: 23 });
  await stage.pair();
  const [real] = stage.pcStore.bonds();
  assert.ok(real);
  // What a compromised device leaves behind when it claims the phone's identity in IDENT.
  const psk = stage.random.bytes(32);
  const claimed = bondFrom(
    {
      ...{ staticPublic: real.peerStatic, irk: new Uint8Array(16), name: "Printer", platform: "test" },
      ...{ psk, bondId: stage.random.bytes(16), upgrades: 0, address: EVE },
    },
    stage.clock.wall(),
  );
  await stage.pcStore.put(claimed);
  // The liar knows the secret but not the phone's static key.
  const liar = stage.phone(new MemoryBondStore(stage.random.bytes), EVE);
  const [known] = stage.phoneStore.bonds();
  assert.ok(known);
  const end = await stage.connect(liar, { ...known, secret: new Secret(psk) });
  assert.notEqual(end, "connected");
  const restarted = stage.phone(stage.phoneStore, { ...PHONE, port: 50_001 });
  let honest = await stage.connect(restarted, known);
  if (honest !== "connected") honest = await stage.connect(restarted, known);
  assert.equal(honest, "connected");
  assert.ok(stage.pcStore.bonds().every(({ state, id }) => state !== "confirmed" || id === real.id));
  await dropStale(stage.pcStore, stage.clock.wall() + 25 * 60 * 60_000);
  assert.deepEqual(
    stage.pcStore.bonds().map(({ id }) => id),
    [real.id],
  );
  assert.ok(equalConstantTime(real.peerStatic, claimed.peerStatic));
});

test("row 32: a copied bond file is noticed when both have used it, and its owner goes on", async () => {
  const stage = new DeviceStage({ seed: 32 });
  await stage.pair();
  await stage.wait(2000);
  // Somebody copies the phone's state; then the phone itself connects once more.
  const copy = new MemoryBondStore(stage.random.bytes);
  copy.identity = () => stage.phoneStore.identity();
  const [copied] = stage.phoneStore.bonds();
  assert.ok(copied);
  await copy.put(copied);
  const alarms: string[] = [];
  stage.server.on("error", ({ code }) => alarms.push(code));
  for (const port of [50_001, 50_002])
    assert.equal(await stage.connect(stage.phone(stage.phoneStore, { ...PHONE, port })), "connected");
  const [now] = stage.phoneStore.bonds();
  assert.ok(now && now.generation > copied.generation, "the bond's secret has moved on");
  const thief = await stage.connect(stage.phone(copy, EVE), copied);
  assert.equal(thief, "BOND_COPIED");
  await stage.wait(5000);
  assert.deepEqual(alarms, ["BOND_COPIED"], "the PC's person was told, once");
  assert.equal(await stage.connect(stage.phone(stage.phoneStore, { ...PHONE, port: 50_003 })), "connected");
});

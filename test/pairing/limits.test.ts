import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "#kernel/bytes.js";
import { decodeMessage, encodeMessage, TYPE } from "#pairing/messages.js";
import { PairingResponder } from "#pairing/responder.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { codeOf, PairingWorld, PC, PHONE } from "../support/pairing.js";
import { STEPS, StagedPairing } from "../support/pairingStages.js";
import { spyCrypto } from "../support/spyCrypto.js";

const identity = {
  staticPublic: new Uint8Array(32).fill(5),
  irk: new Uint8Array(16),
  name: "PC",
  platform: "",
  appId: "",
};
const attempts = { failures: 0, windows: 0 };

test("100,000 first packets from invented addresses: no curve operation, nothing remembered, less said than heard", () => {
  const crypto = spyCrypto();
  const random = new SeededRandom(1);
  const responder = new PairingResponder({ crypto, random: random.bytes, identity, attempts });
  responder.openWindow({}, 0);
  crypto.calls.length = 0;
  const { sent } = StagedPairing.at(2, { seed: 2 });
  const [hello, start] = [0, 2].map((type) => sent.find(({ bytes }) => bytes[2] === type)?.bytes.slice());
  assert.ok(hello && start);
  let [heard, said] = [0, 0];
  for (let i = 0; i < 100_000; i++) {
    const bytes = i % 2 === 0 ? hello : start;
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(4, i);
    heard += bytes.length;
    responder.receive(bytes, { host: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, port: 4000 }, i / 1000);
    for (let out = responder.nextDatagram(); out; out = responder.nextDatagram()) said += out.bytes.length;
  }
  assert.deepEqual(crypto.calls, []);
  assert.equal(responder.remembered, 0);
  assert.equal(responder.drops.cookie, 50_000);
  assert.ok(said <= heard / 4, `${said} of ${heard}`);
});

test("START costs no key, and no product before CHECK", () => {
  const crypto = spyCrypto();
  const pairing = new StagedPairing({ seed: 3, crypto });
  const during = new Map<string, string[]>();
  for (const step of STEPS.compare) {
    crypto.calls.length = 0;
    pairing.step(step);
    during.set(step, [...crypto.calls]);
  }
  assert.deepEqual(during.get("HELLO arrives"), []);
  assert.deepEqual(during.get("START arrives"), ["p256IsValidPoint"]);
  assert.deepEqual(during.get("NONCE arrives"), []);
  assert.deepEqual(during.get("CHECK arrives"), ["p256SharedSecret"]);
  assert.deepEqual(during.get("initiator's person says yes"), ["p256SharedSecret"]);
  assert.ok(pairing.bonds.responder);
});

test("an honest client pairs while a thousand hostile packets a second arrive", () => {
  const world = new PairingWorld({ seed: 4 });
  const random = new SeededRandom(5);
  const recorded = new StagedPairing({ seed: 6 }).runAll().sent.map(({ bytes }) => bytes);
  const flood = (): void => {
    for (let i = 0; i < 10; i++) {
      const bytes = random.chance(0.3)
        ? random.bytes(random.integer(400))
        : (recorded[random.integer(recorded.length)] ?? new Uint8Array());
      const from = random.chance(0.3) ? PHONE : { host: `10.0.1.${random.integer(250)}`, port: 1000 };
      world.network.inject(bytes, from, PC);
    }
    world.clock.schedule(10, flood);
  };
  flood();
  const { phone, pc } = world.run(30_000);
  assert.deepEqual([codeOf(phone), codeOf(pc)], ["done", "done"]);
});

test("many hosts that really are there fill a bounded number of places, one each", () => {
  const random = new SeededRandom(7).bytes;
  const { crypto } = new PairingWorld({ seed: 7, windowOpen: false });
  const responder = new PairingResponder({ crypto, random, identity: { ...identity, appId: "handfast" }, attempts });
  responder.openWindow({}, 0);
  for (let i = 0; i < 300; i++) {
    // Two attempts from each host: they know where to answer, so their cookies are right.
    const from = { host: `10.0.${i >> 1}.1`, port: 1000 + i };
    const { sent, initiator } = new StagedPairing({ seed: 100 + i });
    responder.receive(sent[0]?.bytes ?? new Uint8Array(), from, 0);
    initiator.receive(responder.nextDatagram()?.bytes ?? new Uint8Array(), PC, 0);
    responder.receive(initiator.nextDatagram(1000)?.bytes ?? new Uint8Array(), from, 0);
    assert.equal(responder.nextDatagram()?.bytes[2], TYPE.OFFER);
    assert.equal(responder.remembered, Math.min(64, (i >> 1) + 1));
  }
});

test("a forged ABORT changes nothing, a real one ends the attempt", () => {
  const world = new PairingWorld({ seed: 8 });
  const phone = world.start();
  const forge = (): void => {
    const pid = Uint8Array.from(phone.initiator.id.match(/../g) ?? [], (hex) => Number.parseInt(hex, 16));
    const abort = encodeMessage({ type: TYPE.ABORT, pid, seq: 3, reason: 8, retryAfter: 0 });
    world.network.inject(abort, PC, PHONE);
    world.network.inject(abort, PHONE, PC);
  };
  for (let at = 5; at < 6000; at += 700) world.clock.schedule(at, forge);
  world.clock.runUntil(() => phone.outcome !== undefined && world.pcOutcome !== undefined, 60_000);
  assert.deepEqual([codeOf(phone.outcome), codeOf(world.pcOutcome)], ["done", "done"]);
  const other = new PairingWorld({ seed: 8, phoneSays: () => false });
  assert.equal(codeOf(other.run().pc), "DIGITS_REFUSED");
});

test("the phone that gives up may try again at once", () => {
  const world = new PairingWorld({ seed: 9, phoneSays: () => undefined });
  const first = world.start();
  world.clock.runUntil(() => first.digits !== undefined, 5000);
  first.initiator.cancel(world.clock.now());
  first.pump.turn();
  const second = world.start({ ...PHONE, port: 7 });
  world.clock.runUntil(() => second.digits !== undefined, 10_000);
  assert.notEqual(second.digits, undefined);
});

test("either person may cancel before each step: nothing is stored on either side", () => {
  for (const method of ["compare", "code", "link", "secret"] as const)
    for (const who of ["initiator", "responder"] as const)
      for (const [at, step] of STEPS[method].entries()) {
        if (at > 12 && at < STEPS[method].length - 8) continue;
        const pairing = StagedPairing.at(at, { seed: 10, method });
        if (pairing.bonds.responder) continue;
        const { initiator, responder } = pairing;
        if (who === "initiator") initiator.cancel(pairing.now);
        else responder.closeWindow(pairing.now);
        pairing.drain();
        // What is under way arrives, the cancellation behind it; then time passes.
        for (const next of STEPS[method].slice(at)) pairing.step(next);
        pairing.now += 3000;
        initiator.tick(pairing.now);
        responder.tick(pairing.now);
        pairing.drain();
        const late = who === "initiator" && step === "IDENT arrives";
        assert.ok(!pairing.bonds.initiator, `${method}: ${who} cancels before ${step}`);
        // IDENT had left: a provisional bond that nobody will ever confirm.
        assert.equal(pairing.bonds.responder !== undefined, late, `${method}: ${who} cancels before ${step}`);
        assert.equal(responder.stateOf(initiator.id) ?? "over", "over", `${method}: ${who} cancels before ${step}`);
      }
});

test("counters that cannot be stored end the attempt and free the slot", () => {
  const pairing = StagedPairing.at(5, { seed: 11 });
  pairing.responder.attemptsFailed(pairing.initiator.id, pairing.now);
  pairing.drain();
  assert.ok(!pairing.sent.some(({ bytes }) => bytes[2] === TYPE.REVEAL));
  assert.equal(pairing.responder.stateOf(pairing.initiator.id), "over");
  assert.equal(codeOf(pairing.responderEvents.at(-1)), "STORAGE_FAILED");
});

test("a bond that cannot be stored on either side ends without IDENTIFIED, or without the initiator's bond", () => {
  const atPc = StagedPairing.at(STEPS.compare.indexOf("responder's bond stored"), { seed: 12 });
  atPc.responder.bondFailed(atPc.initiator.id, atPc.now);
  atPc.drain();
  assert.ok(!atPc.sent.some(({ bytes }) => bytes[2] === TYPE.IDENTIFIED));
  assert.equal(codeOf(atPc.responderEvents.at(-1)), "STORAGE_FAILED");
  const atPhone = StagedPairing.at(STEPS.compare.length - 1, { seed: 12 });
  atPhone.initiator.bondFailed(atPhone.now);
  atPhone.drain();
  assert.equal(codeOf(atPhone.initiatorEvents.at(-1)), "STORAGE_FAILED");
});

test("the window is open for 120 seconds, and a person has 60: just inside, just outside", () => {
  for (const [wait, open] of [
    [119_999, true],
    [120_000, false],
  ] as const) {
    const pairing = new StagedPairing({ seed: 13 });
    pairing.responder.tick(1000 + wait);
    assert.equal(pairing.responder.isOpen, open);
  }
  for (const [wait, name] of [
    [59_999, "comparing"],
    [60_000, "over"],
  ] as const) {
    const pairing = StagedPairing.at(7, { seed: 13 });
    // The other side is heard all the time.
    const pid = decodeMessage(pairing.sent[0]?.bytes ?? new Uint8Array())?.pid ?? new Uint8Array();
    const alive = encodeMessage({ type: TYPE.WAIT, pid, seq: 3, user: 0, secondsLeft: 9 });
    for (let at = 0; at <= wait; at += 5000) {
      pairing.initiator.receive(alive, PC, 1000 + at);
      pairing.initiator.tick(1000 + at);
    }
    pairing.initiator.tick(1000 + wait);
    assert.equal(pairing.initiator.stateName, name);
  }
});

test("an attempt under way outlives a window that time closes, not one that a person closes", () => {
  const byTime = StagedPairing.at(7, { seed: 14 });
  byTime.responder.tick(1000 + 120_000 - 1);
  const late = new PairingWorld({ seed: 14 });
  late.clock.runUntil(() => false, 115_000);
  assert.equal(codeOf(late.run().pc), "done");
  const closed = StagedPairing.at(7, { seed: 14 });
  closed.responder.closeWindow(closed.now);
  closed.drain();
  assert.equal(codeOf(closed.responderEvents.at(-1)), "PAIRING_CANCELLED");
});

test("keys and nonces are new in every attempt", () => {
  const world = new PairingWorld({ seed: 15, phoneSays: () => false });
  const seen: string[] = [];
  world.network.tap = (bytes) => {
    const message = decodeMessage(bytes);
    if (message?.type === TYPE.OFFER) seen.push(toHex(message.publicKey), toHex(message.commitment));
    if (message?.type === TYPE.START) seen.push(toHex(message.publicKey));
    if (message?.type === TYPE.NONCE || message?.type === TYPE.REVEAL) seen.push(toHex(message.nonce));
    return [bytes];
  };
  for (let i = 0; i < 2; i++) {
    const phone = world.start({ ...PHONE, port: 50 + i });
    world.clock.runUntil(() => phone.outcome !== undefined, 60_000);
    world.clock.runUntil(() => false, 3000);
  }
  assert.equal(seen.length, 10);
  const runs = seen.flatMap((hex) =>
    Array.from({ length: hex.length / 2 - 7 }, (_, i) => hex.slice(2 * i, 2 * i + 16)),
  );
  assert.equal(new Set(runs).size, runs.length);
});

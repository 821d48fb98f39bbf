import assert from "node:assert/strict";
import { test } from "node:test";
import { nobleCrypto } from "#crypto/noble.js";
import { toHex } from "#kernel/bytes.js";
import { TERRIBLE_LINK } from "../simulation/network.js";
import { withSeeds } from "../simulation/seeds.js";
import { codeOf, PairingWorld, PC, PHONE } from "../support/pairing.js";
import { pairUnderLoss, type Story } from "../support/pairingStory.js";

test("two people who say yes to the same six digits end with the same bond on both sides", () => {
  for (const crypto of [undefined, nobleCrypto]) {
    const world = new PairingWorld({ seed: 1, ...(crypto && { crypto }) });
    const { phone, pc } = world.run();
    assert.deepEqual([codeOf(phone), codeOf(pc)], ["done", "done"]);
    assert.match(world.phone?.digits ?? "", /^\d{6}$/);
    assert.equal(world.phone?.digits, world.pcDigits?.digits);
    const [onPhone, onPc] = [world.phone?.bonds[0], world.pcBonds[0]];
    assert.ok(onPhone && onPc);
    assert.equal(toHex(onPhone.psk), toHex(onPc.psk));
    assert.equal(toHex(onPhone.bondId), toHex(onPc.bondId));
    assert.equal(onPhone.name, "Ana's PC");
    assert.equal(onPc.name, "Ana's phone");
    assert.equal(world.responder.isOpen, false);
    assert.deepEqual(world.persisted.at(-1), { failures: 0, windows: 1 });
  }
});

test("under 30 % loss, duplication and reordering a pairing ends with one bond and never shows different digits", async () => {
  const stories: Story[] = [];
  await withSeeds(100, (seed) => {
    stories.push(pairUnderLoss("compare", seed));
  });
  const quick = stories.filter(({ tries, ms }) => tries === 1 && ms <= 10_000);
  assert.ok(quick.length >= 0.97 * stories.length, `${quick.length} of ${stories.length} within ten seconds`);
});

test("a flipped bit may cost an attempt, but never makes two different bonds", async () => {
  await withSeeds(100, (seed) => {
    const world = new PairingWorld({ seed, link: { ...TERRIBLE_LINK, corrupt: 0.2 } });
    const { phone } = world.run(60_000);
    const bond = world.phone?.bonds[0];
    if (codeOf(phone) === "done")
      assert.equal(toHex(bond?.psk ?? new Uint8Array()), toHex(world.pcBonds[0]?.psk ?? new Uint8Array()));
  });
});

test("either person can refuse: both sides say so, nothing is stored, the PC goes on", () => {
  for (const [says, phoneCode] of [
    [{ phoneSays: () => false }, "DIGITS_REFUSED"],
    [{ pcSays: () => false }, "DIGITS_REFUSED"],
  ] as const) {
    const world = new PairingWorld({ seed: 3, ...says });
    const { phone, pc } = world.run();
    assert.equal(codeOf(phone), phoneCode);
    assert.equal(codeOf(pc), "DIGITS_REFUSED");
    assert.equal(world.pcBonds.length + (world.phone?.bonds.length ?? 0), 0);
    assert.equal(world.responder.isOpen, true);
    assert.deepEqual(world.persisted.at(-1), { failures: 1, windows: 1 });
  }
});

test("nobody answers: the client says so after ten seconds; a closed window is silent", () => {
  const world = new PairingWorld({ seed: 4, windowOpen: false });
  const { phone } = world.run(15_000);
  assert.equal(codeOf(phone), "PAIRING_NOT_ANSWERED");
  assert.ok(world.responder.drops.closed > 0);
  let fromPc = 0;
  world.network.tap = (bytes, from) => {
    if (from.port === PC.port) fromPc++;
    return [bytes];
  };
  world.start({ ...PHONE, port: 1 });
  world.clock.runUntil(() => false, 5000);
  assert.equal(fromPc, 0);
});

test("a person who does not answer for a minute ends the attempt on both sides", () => {
  const world = new PairingWorld({ seed: 5, pcSays: () => undefined });
  const { phone, pc } = world.run();
  assert.equal(codeOf(phone), "PAIRING_TIMED_OUT");
  assert.equal(codeOf(pc), "PAIRING_TIMED_OUT");
  assert.equal(world.pcBonds.length, 0);
});

test("three failures close the window, the fourth try is told why, and the count survives", () => {
  const world = new PairingWorld({ seed: 6, phoneSays: () => false });
  for (let i = 0; i < 3; i++) {
    assert.equal(world.responder.isOpen, true);
    const phone = world.start({ ...PHONE, port: 100 + i });
    world.clock.runUntil(() => phone.outcome !== undefined, 100_000);
    world.clock.runUntil(() => false, 3000);
  }
  assert.equal(world.responder.isOpen, false);
  assert.ok(world.pcEvents.some((event) => event.type === "windowClosed" && event.reason === "tooManyTries"));
  const fourth = world.start({ ...PHONE, port: 200 });
  world.clock.runUntil(() => fourth.outcome !== undefined, 100_000);
  assert.equal(codeOf(fourth.outcome), "TOO_MANY_TRIES");
  assert.deepEqual(world.persisted.at(-1), { failures: 3, windows: 1 });

  const restarted = new PairingWorld({ seed: 7, attempts: { failures: 3, windows: 1 } });
  const began = restarted.clock.now();
  const { phone } = restarted.run();
  assert.equal(codeOf(phone), "done");
  assert.ok(restarted.clock.now() - began >= 8000, "three failures cost eight seconds before the next try");
});

test("one pairing at a time: a second phone is told that the PC is busy, and the first goes on", () => {
  const world = new PairingWorld({ seed: 8, pcSays: (own, other) => own === other });
  const first = world.start();
  world.clock.runUntil(() => first.digits !== undefined, 5000);
  const digits = first.digits;
  const second = world.start({ ...PHONE, port: 60_000 });
  world.clock.runUntil(() => second.outcome !== undefined, 5000);
  assert.equal(codeOf(second.outcome), "PAIRING_BUSY");
  world.phone = first;
  world.clock.runUntil(() => first.outcome !== undefined, 60_000);
  assert.equal(codeOf(first.outcome), "done");
  assert.equal(first.digits, digits);
});

test("the attempt is counted on disk before the nonce is revealed, and the bond is stored before IDENTIFIED leaves", () => {
  const world = new PairingWorld({ seed: 9, stores: false });
  const sent: number[] = [];
  world.network.tap = (bytes, from) => {
    if (from.port === PC.port) {
      const type = bytes[2] ?? 0;
      sent.push(type);
      if (type === 5) assert.deepEqual(world.persisted.at(-1), { failures: 1, windows: 1 });
    }
    return [bytes];
  };
  world.run(30_000);
  assert.ok(sent.includes(5) && sent.includes(7));
  assert.ok(!sent.includes(9), "IDENTIFIED left before the bond was stored");
});

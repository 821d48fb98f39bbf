import assert from "node:assert/strict";
import { test } from "node:test";
import { nobleCrypto } from "#crypto/noble.js";
import { toHex } from "#kernel/bytes.js";
import { drawPasskey, parsePasskey, passkeyBit, passkeyBlock, passkeyLetters } from "#pairing/passkey.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { withSeeds } from "../simulation/seeds.js";
import { codeOf, PairingWorld, PC, PHONE } from "../support/pairing.js";
import { pairUnderLoss } from "../support/pairingStory.js";

const CODE = { kind: "code" } as const;

test("letters and bits are two writings of the same twenty bits", () => {
  for (const passkey of [0, 1, 15, 16, 0x12345, 0xfffff]) {
    const letters = passkeyLetters(passkey);
    assert.match(letters, /^[BCDFGHJKLMNPQRST]{5}$/);
    assert.equal(parsePasskey(letters), passkey);
  }
  assert.equal(passkeyLetters(0), "BBBBB");
  assert.equal(passkeyLetters(1), "BBBBC");
  assert.equal(passkeyLetters(0xf0000), "TBBBB");
  assert.deepEqual(
    [0, 1, 2, 19].map((round) => passkeyBit(0x80005, round)),
    [0x81, 0x80, 0x81, 0x81],
  );
  assert.equal(toHex(passkeyBlock(0xd6d16)), "000000000000000000000000000d6d16");
  assert.equal(parsePasskey(" bcd-fg "), parsePasskey("BCDFG"));
});

test("nothing that another method shows can be typed: every string of six digits is refused, and of five", () => {
  for (let number = 0; number < 1_000_000; number++) {
    const digits = String(number).padStart(6, "0");
    if (parsePasskey(digits) !== undefined || parsePasskey(digits.slice(1)) !== undefined) assert.fail(digits);
  }
  for (const typed of ["", "BCDF", "BCDFGH", "BCDFA", "BCDF1", "BCD FGH", "ＢCDFG", "HF1:ABC"])
    assert.equal(parsePasskey(typed), undefined, typed);
});

test("every passkey is drawn", () => {
  const random = new SeededRandom(5).bytes;
  let or = 0;
  let and = 0xfffff;
  for (let i = 0; i < 100; i++) {
    const passkey = drawPasskey(random);
    assert.ok(passkey >= 0 && passkey <= 0xfffff);
    or |= passkey;
    and &= passkey;
  }
  assert.deepEqual([or, and], [0xfffff, 0]);
});

test("five letters typed on the phone and a yes on the PC pair two devices", () => {
  for (const crypto of [undefined, nobleCrypto]) {
    const world = new PairingWorld({ seed: 1, method: CODE, ...(crypto && { crypto }) });
    const { phone, pc } = world.run();
    assert.deepEqual([codeOf(phone), codeOf(pc)], ["done", "done"]);
    const [onPhone, onPc] = [world.phone?.bonds[0], world.pcBonds[0]];
    assert.ok(onPhone && onPc);
    assert.equal(toHex(onPhone.psk), toHex(onPc.psk));
    assert.equal(world.phone?.digits, undefined);
  }
});

test("letters survive 30 % loss, duplication and reordering", async () => {
  await withSeeds(10, (seed) => {
    pairUnderLoss("code", seed);
  });
});

test("wrong letters fail, are counted, and are replaced by new ones", () => {
  const wrong = (letters: string | undefined): string => (letters?.startsWith("B") ? "CCCCC" : "BBBBB");
  const world = new PairingWorld({ seed: 2, method: CODE, types: wrong });
  let nonces = 0;
  world.network.tap = (bytes, from) => {
    if (from.port === PHONE.port && bytes[2] === 4) nonces++;
    return [bytes];
  };
  const before = world.letters;
  const { phone, pc } = world.run();
  assert.deepEqual([codeOf(phone), codeOf(pc)], ["WRONG_CODE", "WRONG_CODE"]);
  assert.ok(nonces >= 1 && nonces <= 20);
  assert.notEqual(world.letters, before);
  assert.deepEqual(world.persisted.at(-1), { failures: 1, windows: 1 });
  assert.equal(world.pcBonds.length + (world.phone?.bonds.length ?? 0), 0);
});

test("each single wrong bit is found in its round at the latest", () => {
  for (let bit = 0; bit < 20; bit++) {
    const types = (letters: string | undefined): string =>
      passkeyLetters((parsePasskey(letters ?? "") ?? 0) ^ (1 << bit));
    const world = new PairingWorld({ seed: 3, method: CODE, types });
    let commits = 0;
    world.network.tap = (bytes, from) => {
      if (from.port === PHONE.port && bytes[2] === 13) commits++;
      return [bytes];
    };
    const { phone } = world.run();
    assert.equal(codeOf(phone), "WRONG_CODE");
    assert.equal(commits, bit + 1);
  }
});

test("three wrong tries close the window", () => {
  const world = new PairingWorld({
    seed: 4,
    method: CODE,
    types: (letters) => (letters === "BBBBB" ? "CCCCC" : "BBBBB"),
  });
  const shown = new Set<string | undefined>();
  for (let i = 0; i < 3; i++) {
    shown.add(world.letters);
    const phone = world.start({ ...PHONE, port: 100 + i });
    world.clock.runUntil(() => phone.outcome !== undefined, 100_000);
    assert.equal(codeOf(phone.outcome), "WRONG_CODE");
  }
  assert.equal(shown.size, 3, "letters are used once");
  assert.equal(world.responder.isOpen, false);
  const fourth = world.start({ ...PHONE, port: 200 });
  world.clock.runUntil(() => fourth.outcome !== undefined, 100_000);
  assert.equal(codeOf(fourth.outcome), "TOO_MANY_TRIES");
});

test("letters belong to one attempt: who comes second is told to begin again", () => {
  const world = new PairingWorld({ seed: 5, method: CODE });
  const first = world.start();
  const second = world.start({ host: "10.0.0.3", port: 1 });
  world.clock.runUntil(() => first.outcome !== undefined && second.outcome !== undefined, 60_000);
  const outcomes = [codeOf(first.outcome), codeOf(second.outcome)];
  assert.equal(outcomes.filter((outcome) => outcome === "done").length, 1, outcomes.join());
  assert.equal(world.pcBonds.length, 1);
});

test("letters that nobody types within a minute time out; a person at the PC who says no ends it", () => {
  const silent = new PairingWorld({ seed: 6, method: CODE, types: () => undefined });
  const phone = silent.start();
  silent.clock.runUntil(() => phone.outcome !== undefined, 100_000);
  assert.equal(codeOf(phone.outcome), "PAIRING_TIMED_OUT");
  const refused = new PairingWorld({ seed: 7, method: CODE, approves: () => false });
  assert.equal(codeOf(refused.run().phone), "DIGITS_REFUSED");
  assert.equal(refused.pcBonds.length, 0);
});

test("what is typed and is no code changes nothing, and the person may type again", () => {
  const world = new PairingWorld({ seed: 8, method: CODE, types: () => "123456" });
  const phone = world.start();
  world.clock.runUntil(() => false, 10_000);
  assert.equal(phone.initiator.stateName, "typing");
  assert.equal(phone.initiator.enterCode(world.letters ?? "", world.clock.now()), true);
  phone.pump.turn();
  world.clock.runUntil(() => phone.outcome !== undefined, 60_000);
  assert.equal(codeOf(phone.outcome), "done");
});

test("the counter is on disk before the first answer to a guess", () => {
  const world = new PairingWorld({ seed: 9, method: CODE });
  world.network.tap = (bytes, from) => {
    if (from.port === PC.port && bytes[2] === 14) assert.deepEqual(world.persisted.at(-1), { failures: 1, windows: 1 });
    return [bytes];
  };
  assert.equal(codeOf(world.run().pc), "done");
  assert.deepEqual(world.persisted.at(-1), { failures: 0, windows: 1 });
});

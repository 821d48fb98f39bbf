import assert from "node:assert/strict";
import { test } from "node:test";
import { TYPE } from "#pairing/messages.js";
import { parsePasskey } from "#pairing/passkey.js";
import { EVE } from "./attacker.js";
import { Stage } from "./stage.js";
import {
  answerTheLink,
  guessInParallel,
  reflectRounds,
  swapRoles,
  typeTheDigits,
  useLettersAgain,
} from "./stories/lettersAndLinks.js";

test("row 4: with letters as well our mirrored key is refused, so nobody can send our commitments back to us", () => {
  for (let seed = 1; seed <= 5; seed++) assert.equal(reflectRounds(seed).succeeded, false);
});

test("row 6: with a link nobody can answer in the PC's place", () => {
  const { succeeded, why } = answerTheLink(6);
  assert.equal(succeeded, false, why);
});

test("row 8: none of the 10^6 numbers can be typed where letters belong, nor a number among letters", () => {
  for (let number = 0; number < 1_000_000; number++) {
    const digits = String(number).padStart(6, "0");
    if (parsePasskey(digits) !== undefined || parsePasskey(digits.slice(1)) !== undefined)
      assert.fail(`${digits} was taken for letters`);
  }
  for (const typed of ["BCDF1", "1BCDF", "BCDF", "BCDFGH", "", "ABCDE", "４７２９１"])
    assert.equal(parsePasskey(typed), undefined, typed);
});

test("row 8: a person who types the digits of one way into the other gives the attacker nothing", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const { succeeded, why } = typeTheDigits(seed);
    assert.equal(succeeded, false, `seed ${seed}: ${why}`);
  }
});

test("row 8: the way is chosen on each device and never by the other side", () => {
  for (const [method, phoneMethod] of [
    ["compare", "code"],
    ["code", "compare"],
  ] as const) {
    const stage = new Stage({ seed: 8, method: { kind: method }, phoneMethod: { kind: phoneMethod } });
    const { phone } = stage.world.run(30_000);
    assert.ok(phone?.type === "failed" && phone.error.code === "OTHER_METHOD");
    assert.equal(stage.bonds, 0);
  }
});

test("row 9: the PC shows and the phone types, never the other way round; a second typist finds the letters taken", () => {
  const { succeeded, why } = swapRoles(9);
  assert.equal(succeeded, false, why);
  const stage = new Stage({ seed: 9, method: { kind: "code" }, approves: () => undefined });
  const first = stage.world.start();
  stage.waitFor(() => stage.wire.messages(TYPE.COMMITTED).length > 5);
  const second = stage.world.start({ ...EVE, port: 7777 });
  stage.waitFor(() => second.outcome !== undefined, 10_000);
  assert.ok(second.outcome?.type === "failed" && second.outcome.error.code === "PAIRING_BUSY");
  assert.equal(first.outcome, undefined);
});

test("row 20: whoever listens learns the letters, and they are worth nothing: each attempt has new ones", () => {
  const { succeeded, why } = useLettersAgain(20);
  assert.equal(succeeded, false, why);
  assert.match(why, /^learned [B-T]{5}, /, "the attacker was not even there");
  const [, learned, shown] = /learned (\w+), the PC now shows (\w+)/.exec(why) ?? [];
  assert.notEqual(learned, shown);
  // Two windows never show the same, and nothing but the random source decides.
  const stage = new Stage({ seed: 20, method: { kind: "code" } });
  const { letters } = stage.world;
  stage.world.open();
  assert.notEqual(stage.world.letters, letters);
});

test("row 21: eight attackers at once get three guesses a window together", () => {
  for (let seed = 1; seed <= 5; seed++) {
    const { succeeded, why } = guessInParallel(seed);
    assert.equal(succeeded, false, why);
  }
});

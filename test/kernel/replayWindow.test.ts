import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ReplayWindow } from "#kernel/replayWindow.js";

const take = (window: ReplayWindow, number: number): boolean => {
  const fresh = window.check(number);
  if (fresh) window.accept(number);
  return fresh;
};

test("a table of arrivals", () => {
  const window = new ReplayWindow(64);
  for (const [number, accepted] of [
    [0, true],
    [0, false],
    [1, true],
    [9, true],
    [8, true],
    [8, false],
    [64, true],
    [0, false],
    [63, true],
    [70, true],
    [7, true],
    [6, false],
    [1000, true],
    [937, true],
    [936, false],
    [937, false],
  ] as const)
    assert.equal(take(window, number), accepted, String(number));
});

test("a number that was only checked does not move the window", () => {
  const window = new ReplayWindow(64);
  take(window, 5);
  assert.ok(window.check(2 ** 47));
  assert.equal(window.highest, 5);
  assert.ok(take(window, 4));
});

test("random arrivals agree with a plain set of what was seen", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(300), { maxLength: 200 }), (numbers) => {
      const window = new ReplayWindow(64);
      const seen = new Set<number>();
      let highest = -1;
      for (const number of numbers) {
        const expected = number > highest || (number > highest - 64 && !seen.has(number));
        assert.equal(take(window, number), expected);
        if (expected) seen.add(number);
        highest = Math.max(highest, number);
      }
    }),
  );
});

test("far jumps, up to the last packet number, leave no ghosts", () => {
  const window = new ReplayWindow(64);
  for (const number of [3, 40, 2 ** 32, 2 ** 32 + 31, 2 ** 47]) assert.ok(take(window, number));
  assert.ok(take(window, 2 ** 47 - 1));
  assert.ok(!take(window, 2 ** 32));
});

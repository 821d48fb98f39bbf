import assert from "node:assert/strict";
import { test } from "node:test";
import { mutateEverything } from "./fuzz.js";
import { killAt } from "./killed.js";
import { checkRate, mitmRate } from "./mitmRate.js";

test("1,000 pairings under an active man in the middle: the screens agree as often as chance says", () => {
  const rate = mitmRate(1000, 1);
  assert.equal(checkRate(rate), undefined);
});

for (const side of ["pc", "phone"] as const)
  test(`kill -9 at every step of the ${side}: counters never go back, no side holds a bond that the other lacks, and they meet again`, async () => {
    let steps = 1;
    for (; ; steps++) {
      const { died } = await killAt(side, steps, steps);
      if (!died) break;
    }
    assert.ok(steps > 10, `only ${steps} steps`);
  });

test("row 25: 20,000 mutated messages in every state: no crash, no bond, no secret in an error or a print", () => {
  const { bonds, leaks } = mutateEverything(20_000, 1);
  assert.deepEqual({ bonds, leaks }, { bonds: 0, leaks: 0 });
});

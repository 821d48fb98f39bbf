import assert from "node:assert/strict";
import { test } from "node:test";
import { Renewals } from "#transport/renewals.js";

test("sixteen renewals at once, the next a second later, and never more than sixteen saved up", () => {
  const renewals = new Renewals(0);
  let count = 0;
  const renewAll = (now: number): number => {
    for (count = 0; now >= renewals.from; count++) renewals.pay(now);
    return count;
  };
  assert.equal(renewAll(0), 16);
  assert.equal(renewAll(999), 0);
  assert.equal(renewAll(1000), 1);
  assert.equal(renewAll(3500), 2);
  assert.equal(renewAll(600_000), 16);
});

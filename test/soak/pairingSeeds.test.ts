import assert from "node:assert/strict";
import { test } from "node:test";
import { withSeeds } from "../simulation/seeds.js";
import { pairUnderLoss, type Story } from "../support/pairingStory.js";

// SEEDS=10000 makes it the run of the acceptance list. The hostile datagrams of test/pairing/hostile.test.ts grow with MUTATIONS=1000000 EVERY_BIT=1.

for (const [method, count] of [
  ["compare", 1000],
  ["link", 1000],
  ["secret", 1000],
  ["code", 200],
] as const)
  test(`${method}: ${count} seeds of a terrible network end with one bond on both sides`, async () => {
    const stories: Story[] = [];
    await withSeeds(count, (seed) => {
      stories.push(pairUnderLoss(method, seed));
    });
    // Letters take 44 round trips: about 13 s where one in three datagrams is lost.
    const limit = method === "code" ? 40_000 : 10_000;
    const quick = stories.filter(({ tries, ms }) => tries === 1 && ms <= limit);
    assert.ok(quick.length >= 0.98 * stories.length, `${quick.length} of ${stories.length} within ${limit} ms`);
  });

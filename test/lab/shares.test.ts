import assert from "node:assert/strict";
import { test } from "node:test";
import { median } from "../../tools/bench/figures.js";
import { type LinkSettings, openLab, whyNoLab } from "../../tools/bench/lab/lab.js";
import { HANDFAST, measureShares, TCP } from "../../tools/bench/shares.js";

const WINDOW = { fromMs: 5000, toMs: 12_000 };
const ROUNDS = 3;
const skip = whyNoLab() ?? false;

const LINKS: readonly (readonly [string, LinkSettings])[] = [
  ["50 Mbit/s, 20 ms", { rate: 50, delay: 10, queue: 170 }],
  ["100 Mbit/s, 40 ms", { rate: 100, delay: 20, queue: 340 }],
];

for (const [link, settings] of LINKS)
  for (const [what, second, least] of [
    ["the system's TCP with CUBIC", TCP, 0.2],
    ["another of ours", HANDFAST, 0.35],
  ] as const)
    test(`${link}: beside ${what} on a real link neither flow starves`, {
      skip,
    }, async (context) => {
      // One run differs from the next by several per cent: the gate is for the median, as the bench's figures are.
      const firsts: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        await using lab = await openLab(settings);
        firsts.push((await measureShares([HANDFAST, second], lab.place, WINDOW))[0] ?? Number.NaN);
      }
      const share = median(firsts);
      context.diagnostic(`the first one's shares: ${firsts.join(", ")}`);
      assert.ok(share >= least && share <= 1 - least, firsts.join(", "));
    });

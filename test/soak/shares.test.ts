import assert from "node:assert/strict";
import { test } from "node:test";
import { median } from "../../tools/bench/figures.js";
import { GOOD_LINK, type Link } from "../simulation/network.js";
import { SimulatedTransfer } from "../support/transfer.js";

const MBIT = 125;
/** Rates in Mbit/s, round trips in ms, queues in KB: the links of `npm run bench -- --only Shares`. */
const LINKS: readonly Link[] = [
  [10, 20, 20],
  [50, 20, 85],
  [50, 20, 255],
  [100, 40, 340],
].map(([rate = 0, rttMs = 0, queue = 0]) => ({
  ...GOOD_LINK,
  ...{ delayMs: rttMs / 2, rate: rate * MBIT, queue: queue * 1000, shared: true },
}));
const SEEDS = [1, 2, 3, 4, 5];
/** Of the second flow, after the first: into its startup's overflow, just after, while it cruises, into a probe. */
const STARTS = [300, 450, 1000, 3000];

async function shares(link: Link, starts: readonly number[], seed: number): Promise<readonly number[]> {
  const flows = starts.map((startMs) => ({ congestion: "bbr" as const, bytes: 1e12, startMs }));
  return await new SimulatedTransfer({ seed, link, flows, maxDatagram: 1472, timerMs: 1.16 }).shares(5000, 12_000);
}

for (const link of LINKS) {
  const name = `${link.rate / MBIT} Mbit/s, ${2 * link.delayMs} ms, ${link.queue / 1000} KB`;
  test(`${name}: whenever the second of two flows comes, the first keeps 35 to 65 %, and never more than 70`, async () => {
    const first: number[] = [];
    for (const start of STARTS) for (const seed of SEEDS) first.push((await shares(link, [0, start], seed))[0] ?? 0);
    const middle = median(first);
    assert.ok(middle >= 0.35 && middle <= 0.65, `${middle} of ${first.join(", ")}`);
    assert.ok(Math.min(...first) >= 0.3 && Math.max(...first) <= 0.7, first.join(", "));
  });

  test(`${name}: four flows share evenly`, async () => {
    const evenness: number[] = [];
    for (const seed of SEEDS) {
      const all = await shares(link, [0, 300, 600, 900], seed);
      // Jain's index: 1 when all have the same.
      evenness.push(1 / (all.length * all.reduce((sum, share) => sum + share ** 2, 0)));
    }
    // The median, as `npm run bench` reports it.
    assert.ok(median(evenness) >= 0.9 && Math.min(...evenness) >= 0.85, evenness.join(", "));
  });
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { openLab, whyNoLab } from "../../tools/bench/lab/lab.js";
import { HANDFAST, measureShares, TCP } from "../../tools/bench/shares.js";

const WINDOW = { fromMs: 5000, toMs: 12_000 };
const skip = whyNoLab() ?? false;

for (const [what, second, least] of [
  ["the system's TCP with CUBIC", TCP, 0.2],
  ["another of ours", HANDFAST, 0.3],
] as const)
  test(`beside ${what} on a real link neither flow starves`, { skip }, async () => {
    await using lab = await openLab({ rate: 50, delay: 10, queue: 170 });
    const shares = await measureShares([HANDFAST, second], lab.place, WINDOW);
    for (const share of shares) assert.ok(share >= least, `shares ${shares.join(", ")}`);
  });

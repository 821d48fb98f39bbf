import assert from "node:assert/strict";
import type { InteropCase } from "../interop/world.js";
import { HOME } from "../profiles.js";
import { both, floodOf, percent, range, ride, wait } from "./ride.js";

/** From 100 Mbit/s to 10 within a second, as somebody walks away, and back again. */
async function walk(seed: number, down: boolean) {
  const link = { ...HOME.link, rate: 12_500, queue: 125_000 };
  const one = await ride({ ...HOME, link, capacity: link.rate }, seed);
  const { world } = one;
  const flood = floodOf(one, down);
  const fade = async (from: number, to: number): Promise<void> => {
    for (let step = 1; step <= 20; step++) {
      world.network.link = { ...link, rate: from * (to / from) ** (step / 20) };
      await wait(one, 50);
    }
  };
  await flood.run(500);
  await fade(12_500, 1_250);
  await flood.run(1_000);
  const slow = await flood.run(2_000);
  await fade(1_250, 12_500);
  await flood.run(2_000);
  const fast = await flood.run(500);
  assert.deepEqual([one.client.closeInfo, one.server.closeInfo], [undefined, undefined]);
  return { slow: slow.rate / 1_250, lost: slow.lost, fast: fast.rate / 12_500 };
}

export const FADING: InteropCase = {
  name: "the rate falls to a tenth within a second, and rises again",
  check:
    "a second later at least 80 % of the 10 Mbit/s that are left, 10 % lost at most; 2 s after the return at least 60 % of the 100",
  async run(size) {
    const all = size < 1 ? [await walk(1, true)] : await both(size, walk);
    for (const { slow, lost, fast } of all)
      assert.ok(slow >= 0.8 && lost <= 0.1 && fast >= 0.6, `${slow} ${lost} ${fast}`);
    const of = (pick: (one: (typeof all)[number]) => number): string => range(all.map(pick), percent);
    return `${of(({ slow }) => slow)} %, ${of(({ lost }) => lost)} % lost; ${of(({ fast }) => fast)} %`;
  },
};

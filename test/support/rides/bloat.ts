import assert from "node:assert/strict";
import type { InteropCase } from "../interop/world.js";
import { BUFFERBLOAT, type Profile } from "../profiles.js";
import { both, floodOf, range, ride, wait } from "./ride.js";

/** Round trips of a small message every 50 ms while a transfer fills the link. */
async function delays(profile: Profile, seed: number, down: boolean, forMs: number): Promise<readonly number[]> {
  const one = await ride(profile, seed);
  const { world, client, server } = one;
  const flood = floodOf(one, down);
  await flood.run(3_000);
  const [asker, other] = down ? [server, client] : [client, server];
  void (async () => {
    for await (const bytes of other.datagrams()) other.sendDatagram(bytes);
  })();
  const trips: number[] = [];
  const asked: number[] = [];
  void (async () => {
    for await (const [i = 0] of asker.datagrams()) trips.push(world.clock.now() - (asked[i] ?? 0));
  })();
  const count = forMs / 50;
  for (let i = 0; i < count; i++) {
    asked[i] = world.clock.now();
    asker.sendDatagram(Uint8Array.of(i));
    await wait(one, 50);
  }
  await wait(one, 2_000);
  assert.equal(trips.length, count);
  return trips.sort((a, b) => a - b).map((ms) => ms - 2 * profile.link.delayMs);
}

export const BLOAT: InteropCase = {
  name: BUFFERBLOAT.name,
  check:
    "10 Mbit/s, full, after 3 s: a small message takes at most 30 ms longer than on an empty link in the median, 60 ms at worst",
  async run(size) {
    const all = await both(size, (seed, down) => delays(BUFFERBLOAT, seed, down, size < 1 ? 1_000 : 10_000));
    const medians = all.map((sorted) => sorted[sorted.length >> 1] ?? 0);
    const worst = all.map((sorted) => sorted.at(-1) ?? 0);
    assert.ok(Math.max(...medians) <= 30, `${medians}`);
    assert.ok(Math.max(...worst) <= 60, `${worst}`);
    const say = (ms: number): string => ms.toFixed(0);
    return `median ${range(medians, say)} ms, worst ${range(worst, say)} ms longer`;
  },
};

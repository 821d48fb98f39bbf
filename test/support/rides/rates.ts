import assert from "node:assert/strict";
import type { Stretch } from "../flood.js";
import type { InteropCase } from "../interop/world.js";
import {
  DUPLICATES,
  POWER_SAVE,
  type Profile,
  REORDERING,
  WIFI_BAD,
  WIFI_BUSY,
  WIFI_EDGE,
  WIFI_GOOD,
} from "../profiles.js";
import { both, floodOf, percent, range, ride } from "./ride.js";

interface Demand {
  readonly profile: Profile;
  /** What comes before that is not looked at. */
  readonly afterMs: number;
  readonly forMs: number;
  /** Of the whole length in `npm test`. */
  readonly short?: number;
  /** Of the profile's capacity. */
  readonly share: number;
  /** Of the packets, at most. */
  readonly spurious: number;
}

/** A transfer without end: its rate, and what was sent in vain. */
const rate = ({ profile, afterMs, forMs, short = 1, share, spurious }: Demand): InteropCase => ({
  name: profile.name,
  check: `each way, after ${afterMs / 1000} s: at least ${percent(share)} % of what the network carries (${((profile.capacity * 8) / 1000).toFixed(0)} Mbit/s), at most ${percent(spurious)} % taken for lost that was not`,
  async run(size) {
    const measured = await both(size, async (seed, down): Promise<Stretch> => {
      const one = await ride(profile, seed);
      const flood = floodOf(one, down);
      await flood.run(afterMs);
      const stretch = await flood.run(size < 1 ? forMs * short : forMs);
      assert.ok(stretch.rate >= share * profile.capacity, `${percent(stretch.rate / profile.capacity)} %`);
      assert.ok(stretch.spurious <= spurious, `${percent(stretch.spurious)} % spurious`);
      assert.deepEqual([one.client.closeInfo, one.server.closeInfo], [undefined, undefined]);
      return stretch;
    });
    const shares = measured.map((stretch) => stretch.rate / profile.capacity);
    const vain = measured.map((stretch) => stretch.spurious);
    return `${range(shares, percent)} %; ${range(vain, percent)} % in vain`;
  },
});

export const RATES: readonly InteropCase[] = [
  rate({ profile: WIFI_GOOD, afterMs: 300, forMs: 1_000, short: 0.2, share: 0.9, spurious: 0.005 }),
  rate({ profile: WIFI_BUSY, afterMs: 1_000, forMs: 4_000, short: 0.25, share: 0.8, spurious: 0.01 }),
  rate({ profile: WIFI_BAD, afterMs: 1_000, forMs: 19_000, short: 0.1, share: 0.6, spurious: 0.02 }),
  rate({ profile: WIFI_EDGE, afterMs: 1_000, forMs: 39_000, short: 0.25, share: 0.04, spurious: 0.02 }),
  rate({ profile: POWER_SAVE, afterMs: 6_000, forMs: 20_000, short: 0.05, share: 0.7, spurious: 0.001 }),
  rate({ profile: REORDERING, afterMs: 2_000, forMs: 8_000, short: 0.25, share: 0.8, spurious: 0.01 }),
  rate({ profile: DUPLICATES, afterMs: 500, forMs: 5_000, short: 0.2, share: 0.85, spurious: 0 }),
];

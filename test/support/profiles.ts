import type { Address } from "#kernel/ports.js";
import {
  Aggregates,
  type Air,
  Beacons,
  Chain,
  Displaced,
  GoodAndBad,
  type Surroundings,
  Wandering,
} from "../simulation/air.js";
import { GOOD_LINK, type Link } from "../simulation/network.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { type ChannelWorld, CLIENT } from "./channel.js";

/** Bytes a millisecond. */
const MBIT = 125;
const FRAME = 1452;

/** A network that people know. The figures are assumptions: nobody here has measured a Wi-Fi. */
export interface Profile {
  readonly name: string;
  readonly link: Link;
  readonly air?: (around: Surroundings) => Air;
  /** Bytes a millisecond that it can carry to the client, all things considered. */
  readonly capacity: number;
}

const toClient = (to: Address): boolean => to.port === CLIENT.port;

/** What an aggregate of full frames leaves of the air's rate when so much silence follows it on average. */
const shareOfAir = (frames: number, rate: number, silenceMs: number): number => {
  const onAir = (frames * FRAME) / rate;
  return (rate * onAir) / (onAir + silenceMs);
};

const WIFI = { frames: 32, rate: 300 * MBIT, queue: 400_000, again: { chance: 0.02, depth: 4 } };

export const WIFI_GOOD: Profile = {
  name: "Wi-Fi, good",
  link: { ...GOOD_LINK, delayMs: 1 },
  air: (around) => new Aggregates(around, { ...WIFI, silence: [0, 0] }),
  capacity: 300 * MBIT,
};

/** A burst within a millisecond, and then nothing for a while. */
export const WIFI_BUSY: Profile = {
  name: "Wi-Fi, a busy channel",
  link: { ...GOOD_LINK, delayMs: 1 },
  air: (around) => new Aggregates(around, { ...WIFI, silence: [3, 10] }),
  capacity: shareOfAir(32, 300 * MBIT, 6.5),
};

export const WIFI_BAD: Profile = {
  name: "Wi-Fi, bad",
  link: { ...GOOD_LINK, delayMs: 8, rate: 20 * MBIT, queue: 100_000 },
  // 70 % are lost for 200 ms, so that 3 % are lost in all.
  air: (around) =>
    new Chain(
      new GoodAndBad(around, 4470, 200, 0.7),
      new Wandering(around, 20, 10),
      new Displaced(around, 0.05, 23, 30),
    ),
  capacity: 20 * MBIT * 0.97,
};

/** Most of the time the radio is in its bad state. */
export const WIFI_EDGE: Profile = {
  name: "Wi-Fi, at its edge",
  link: { ...GOOD_LINK, delayMs: 8, rate: 20 * MBIT, queue: 100_000 },
  air: (around) => new Chain(new GoodAndBad(around, 200, 200, 0.7), new Wandering(around, 20, 10)),
  capacity: 20 * MBIT * 0.65,
};

export const POWER_SAVE: Profile = {
  name: "phone that saves power",
  link: { ...GOOD_LINK, delayMs: 2, rate: 50 * MBIT },
  air: (around) => new Beacons(around, 100, toClient),
  capacity: 50 * MBIT,
};

export const HOME: Profile = {
  name: "home",
  link: { ...GOOD_LINK, delayMs: 5, rate: 20 * MBIT, queue: 50_000 },
  capacity: 20 * MBIT,
};

export const BUFFERBLOAT: Profile = {
  name: "bufferbloat: a queue of one second",
  link: { ...GOOD_LINK, delayMs: 10, rate: 10 * MBIT, queue: 10 * MBIT * 1000 },
  capacity: 10 * MBIT,
};

export const REORDERING: Profile = {
  name: "reordering: 17.5 % out of order, 1 to 23 places late, nothing lost",
  link: { ...GOOD_LINK, delayMs: 20, rate: 20 * MBIT, queue: 200_000 },
  air: (around) => new Displaced(around, 0.175, 23, 30),
  capacity: 20 * MBIT,
};

export const DUPLICATES: Profile = {
  name: "duplicate frames: every tenth comes twice",
  link: { ...GOOD_LINK, delayMs: 5, duplicate: 0.1, rate: 20 * MBIT, queue: 50_000 },
  capacity: (20 * MBIT) / 1.1,
};

/** Puts the world on the profile's network from now on. */
export function live(world: ChannelWorld, profile: Profile, seed: number): void {
  world.network.link = profile.link;
  const air = profile.air?.({ clock: world.clock, random: new SeededRandom(seed) });
  world.network.tap = air
    ? (bytes, from, to) => {
        air.send(bytes, from, to, () => world.network.inject(bytes, from, to));
        return [];
      }
    : undefined;
}

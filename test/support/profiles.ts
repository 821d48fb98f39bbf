import type { Address } from "#kernel/ports.js";
import { GOOD_LINK, type Link } from "../simulation/network.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { type ChannelWorld, CLIENT } from "./channel.js";

/** What one datagram suffers beside the link: milliseconds it waits, or "lost". */
type Fate = (from: Address, to: Address, now: number) => number | "lost";

/** A network that people know. The figures are assumptions: nobody here has measured a Wi-Fi. */
export interface Profile {
  readonly name: string;
  readonly link: Link;
  readonly fate?: (random: SeededRandom) => Fate;
  /** What happens to the client while the transfer runs. */
  readonly events?: (world: ChannelWorld) => void;
}

/** Frames leave in aggregates: everything waits for the next one, `everyMs` apart. */
const aggregates = (everyMs: number): Fate => {
  return (_from, _to, now) => everyMs - (now % everyMs);
};

function badRadio(random: SeededRandom): Fate {
  let badUntil = 0;
  return (_from, _to, now) => {
    // Gilbert-Elliott: 3 % of the datagrams begin 200 ms in which most are lost.
    if (now >= badUntil && random.chance(0.03)) badUntil = now + 200;
    return now < badUntil && random.chance(0.7) ? "lost" : 0;
  };
}

function moveTo(world: ChannelWorld, host: string): void {
  world.client.socket.rebind({ host, port: CLIENT.port });
  world.client.endpoint.networkChanged(world.clock.now());
  world.client.pump.turn();
}

export const PROFILES: readonly Profile[] = [
  {
    name: "Wi-Fi, good",
    link: { ...GOOD_LINK, delayMs: 1, rate: 37_500, reorder: 0.02, reorderMs: 1 },
    fate: () => aggregates(3),
  },
  {
    name: "Wi-Fi, bad",
    link: { ...GOOD_LINK, delayMs: 8, jitterMs: 20, rate: 2_500, reorder: 0.05, reorderMs: 10 },
    fate: badRadio,
  },
  {
    name: "phone that saves power",
    link: { ...GOOD_LINK, delayMs: 2, rate: 6_250 },
    fate: () => (_from, to, now) => (to.port === CLIENT.port ? 100 - (now % 100) : 0),
  },
  {
    name: "roaming: a gap of 1.5 s, then another address",
    link: { ...GOOD_LINK, delayMs: 5, rate: 2_500 },
    events: (world) => {
      world.clock.schedule(60, () => {
        const { link } = world.network;
        world.network.link = { ...link, loss: 1 };
        world.clock.schedule(1_500, () => {
          world.network.link = link;
          moveTo(world, "10.0.8.1");
        });
      });
    },
  },
  {
    name: "sleep: eight hours, then another address",
    link: { ...GOOD_LINK, delayMs: 5, rate: 2_500 },
    events: (world) => {
      world.clock.schedule(60, () => {
        world.client.endpoint.resume(world.clock.now(), 8 * 3_600_000);
        moveTo(world, "10.0.8.2");
      });
    },
  },
  { name: "bufferbloat: a queue of one second", link: { ...GOOD_LINK, delayMs: 10, rate: 1_250, queue: 1_250_000 } },
  {
    name: "reordering: 17.5 % out of order, 1 to 23 deep, nothing lost",
    link: { ...GOOD_LINK, delayMs: 20, rate: 2_500 },
    fate: (random) => () => (random.chance(0.175) ? 1 + random.integer(13) : 0),
  },
];

/** Puts the world on the profile's network from now on. */
export function live(world: ChannelWorld, profile: Profile, seed: number): void {
  const fate = profile.fate?.(new SeededRandom(seed));
  world.network.link = profile.link;
  profile.events?.(world);
  if (!fate) return;
  world.network.tap = (bytes, from, to) => {
    const verdict = fate(from, to, world.clock.now());
    if (verdict === "lost") return [];
    if (verdict === 0) return [bytes];
    world.clock.schedule(verdict, () => world.network.inject(bytes, from, to));
    return [];
  };
}

import { fastestCrypto } from "#crypto/fastest.node.js";
import type { Session } from "#transport/session.js";
import { ChannelWorld } from "../channel.js";
import { Flood } from "../flood.js";
import { live, type Profile } from "../profiles.js";

export const PTO_CAP_MS = 2_000;
export const SEEDS = 5;

/** One connection on such a network. */
export interface Ride {
  readonly world: ChannelWorld;
  readonly client: Session;
  readonly server: Session;
}

export async function ride(profile: Profile, seed: number): Promise<Ride> {
  const world = new ChannelWorld({ seed, crypto: fastestCrypto, endpoint: { keepAlive: true } });
  live(world, profile, seed);
  return { world, ...(await world.connected()) };
}

export const floodOf = ({ world, client, server }: Ride, down: boolean): Flood =>
  down ? new Flood(world, server, client) : new Flood(world, client, server);

export const wait = ({ world }: Ride, ms: number): Promise<boolean> => world.clock.runUntilAsync(() => false, ms);

export const percent = (share: number): string => (100 * share).toFixed(share < 0.1 ? 1 : 0);
export const range = (values: readonly number[], say: (value: number) => string): string => {
  const [least, most] = [say(Math.min(...values)), say(Math.max(...values))];
  return least === most ? least : `${least}..${most}`;
};

/** For each seed, and down to the client and up from it. */
export async function both<T>(
  size: number,
  measure: (seed: number, down: boolean) => Promise<T>,
): Promise<readonly T[]> {
  const all: T[] = [];
  for (let seed = 1; seed <= (size < 1 ? 1 : SEEDS); seed++)
    for (const down of [true, false]) {
      try {
        all.push(await measure(seed, down));
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        throw new Error(`seed ${seed}, ${down ? "down" : "up"}: ${why}`, { cause: error });
      }
    }
  return all;
}

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Session } from "#transport/session.js";
import { GOOD_LINK, type Link } from "../../simulation/network.js";
import { SeededRandom } from "../../simulation/seededRandom.js";
import { ChannelWorld, SERVER, type WorldOptions } from "../channel.js";
import { transfer } from "../streams.js";

export const MB: number = 1024 * 1024;
/** The runner's link: 15 ms one way, 10 Mbit/s, 25 packets of queue. */
export const BASE: Link = { ...GOOD_LINK, delayMs: 15, rate: 1250, queue: 25 * 1472 };

/** One row of the QUIC Interop Runner's table, as far as it means something here. `size` scales the megabytes. */
export interface InteropCase {
  readonly name: string;
  /** What has to hold. */
  readonly check: string;
  /** Throws when it does not hold; returns what was measured. */
  readonly run: (size: number) => Promise<string>;
}

export interface Connected {
  readonly world: ChannelWorld;
  readonly client: Session;
  readonly server: Session;
}

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
export const sha = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

export async function connected(options: Partial<WorldOptions> = {}): Promise<Connected> {
  const world = new ChannelWorld({ seed: 1, link: BASE, ...options });
  const sessions = await world.connected();
  return { world, ...sessions };
}

/** Sends bytes and compares them; how long it took. */
export async function same(
  world: ChannelWorld,
  from: Session,
  to: Session,
  bytes: Uint8Array,
  limitMs = 600_000,
): Promise<number> {
  const start = world.clock.now();
  const received = await world.until(transfer(from, to, bytes), limitMs);
  assert.equal(sha(received), sha(bytes));
  return world.clock.now() - start;
}

/** Loses or spoils datagrams with this probability, never more than three of one direction in a row. */
export function burstly(world: ChannelWorld, probability: number, spoil: boolean, seed = 77): void {
  const inRow = new Map<boolean, number>();
  const random = new SeededRandom(seed);
  world.network.tap = (bytes, from) => {
    const down = from.host === SERVER.host;
    const row = inRow.get(down) ?? 0;
    const hit = row < 3 && random.chance(probability);
    inRow.set(down, hit ? row + 1 : 0);
    if (!hit) return [bytes];
    if (!spoil) return [];
    const bad = bytes.slice();
    const at = random.integer(bad.length);
    bad[at] = (bad[at] ?? 0) ^ (1 << random.integer(8));
    return [bad];
  };
}

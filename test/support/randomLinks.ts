import assert from "node:assert/strict";
import { fastestCrypto } from "#crypto/fastest.node.js";
import type { Session } from "#transport/session.js";
import { GOOD_LINK, type Link } from "../simulation/network.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { withSeeds } from "../simulation/seeds.js";
import { ChannelWorld, CLIENT } from "./channel.js";
import type { InteropCase } from "./interop/world.js";
import { playOrShrink } from "./shrink.js";
import { transfer } from "./streams.js";

/** One property of a network, or something that happens on it. Times in milliseconds, rates in bytes a millisecond. */
export type Trait =
  | { readonly kind: "delay" | "jitter"; readonly ms: number }
  | { readonly kind: "loss" | "duplicate" | "corrupt"; readonly chance: number }
  | { readonly kind: "reorder"; readonly chance: number; readonly ms: number }
  | { readonly kind: "rate"; readonly rate: number; readonly queue: number }
  /** What a datagram may have at most, on the way and, as far as we know, at our interface. */
  | { readonly kind: "mtu" | "interface"; readonly bytes: number }
  /** The client has another port, or is another host, and says so or does not know. */
  | { readonly kind: "move"; readonly atMs: number; readonly host: boolean; readonly told: boolean };

/** What is sent each way on a link without a rate; on slower ones what takes a few seconds at most. */
const MOST_BYTES = 400_000;
const FEW_SECONDS = 3_000;
const SMALLEST_QUEUE = 6_000;
/** The sum of what both ends hold is the data, its copies on the way to the reader, and little else. */
const MEMORY = 16 * 1024 * 1024;

/** A probe timeout at its cap and the one before it; the keep-alive of a transfer that broke off. */
const PAUSE_MS = 3_500;
const ROUND_TRIPS = 24;
/** Of the time that the bytes of both directions need, one after the other. */
const SHARE = 2;

/** Between the two, each order of magnitude as likely as the next. */
const spread = (random: SeededRandom, least: number, most: number): number => least * (most / least) ** random.number();

/** Each trait is there or not, so that links differ in kind and not only in degree. */
export function randomTraits(seed: number): readonly Trait[] {
  const random = new SeededRandom(seed);
  const delay = spread(random, 0.05, 250);
  const traits: Trait[] = [{ kind: "delay", ms: delay }];
  if (random.chance(0.6)) traits.push({ kind: "jitter", ms: spread(random, 0.05, 100) });
  if (random.chance(0.6)) traits.push({ kind: "loss", chance: spread(random, 0.0005, 0.25) });
  if (random.chance(0.4)) traits.push({ kind: "reorder", chance: random.number() * 0.3, ms: spread(random, 0.1, 60) });
  if (random.chance(0.3)) traits.push({ kind: "duplicate", chance: random.number() * 0.25 });
  if (random.chance(0.2)) traits.push({ kind: "corrupt", chance: spread(random, 0.0001, 0.03) });
  if (random.chance(0.7)) {
    const rate = spread(random, 30, 125_000);
    // From too small a queue to a second of bufferbloat.
    traits.push({ kind: "rate", rate, queue: Math.max(SMALLEST_QUEUE, rate * spread(random, 2, 1_000)) });
  }
  if (random.chance(0.5)) traits.push({ kind: "mtu", bytes: Math.round(spread(random, 1_200, 20_000)) });
  if (random.chance(0.3)) traits.push({ kind: "interface", bytes: [1_472, 8_972, 16_336][random.integer(3)] ?? 0 });
  for (let moves = random.chance(0.4) ? 1 + random.integer(3) : 0; moves > 0; moves--)
    traits.push({
      kind: "move",
      atMs: spread(random, 10, 3_000),
      host: random.chance(0.5),
      told: random.chance(0.5),
    });
  return traits;
}

export interface Crossing {
  readonly tookMs: number;
  /** What it may take: see `limitMs`. */
  readonly limitMs: number;
  readonly bytes: number;
  /** The most that one endpoint held. */
  readonly held: number;
}

function linkOf(traits: readonly Trait[]): Link {
  let link: Link = { ...GOOD_LINK, delayMs: 0.05 };
  for (const trait of traits) {
    if (trait.kind === "reorder") link = { ...link, reorder: trait.chance, reorderMs: trait.ms };
    else if (trait.kind === "rate") link = { ...link, rate: trait.rate, queue: trait.queue };
    else if (trait.kind === "mtu") link = { ...link, mtu: trait.bytes };
    else if ("chance" in trait) link = { ...link, [trait.kind]: trait.chance };
    else if ("ms" in trait) link = { ...link, [`${trait.kind}Ms`]: trait.ms };
  }
  return link;
}

/** Sends bytes both ways at once over a network with these traits. Throws when one is wrong, or it takes too long or too much. */
export async function cross(seed: number, traits: readonly Trait[], size: number): Promise<Crossing> {
  const link = linkOf(traits);
  const local = traits.find(({ kind }) => kind === "interface");
  const maxDatagram = local && "bytes" in local ? local.bytes : 1_452;
  const endpoint = { memoryLimit: MEMORY, maxDatagram: () => maxDatagram };
  const world = new ChannelWorld({ seed, link, crypto: fastestCrypto, endpoint });
  const { client, server } = await world.connected(60_000);
  const began = world.clock.now();
  for (const [i, trait] of traits.entries()) if (trait.kind === "move") moveLater(world, trait, i);
  const most = size * (link.rate === 0 ? MOST_BYTES : Math.min(MOST_BYTES, link.rate * FEW_SECONDS));
  const amount = (): Uint8Array => world.random.bytes(Math.ceil(most * (0.2 + 0.8 * world.random.number())));
  const [up, down] = [amount(), amount()];
  const limit = limitMs(link, traits, up.length + down.length);
  let held = 0;
  let steps = 0;
  const watch = async (): Promise<void> => {
    steps++;
    for (const { endpoint } of [world.client, world.server])
      held = Math.max(held, endpoint.memory.receiving + endpoint.memory.sending);
    await new Promise<void>((resolve) => setImmediate(resolve));
  };
  const both = Promise.all([transfer(client, server, up), transfer(server, client, down)]);
  const [upThere, downThere] = await world.until(both, limit, watch);
  assert.ok(Buffer.from(upThere).equals(up) && Buffer.from(downThere).equals(down), "the bytes differ");
  const tookMs = world.clock.now() - began;
  assert.ok(steps < 2_000 + 20 * world.network.counters.sent, `${steps} steps: a timer spins`);
  assert.ok(held <= 2 * (up.length + down.length) + 200_000, `${held} bytes were held`);
  await goodbye(world, client, server);
  return { tookMs, limitMs: limit, bytes: up.length + down.length, held };
}

function moveLater(world: ChannelWorld, { atMs, host, told }: Extract<Trait, { kind: "move" }>, i: number): void {
  world.clock.schedule(atMs, () => {
    world.client.socket.rebind(host ? { ...CLIENT, host: `10.9.0.${i}` } : { ...CLIENT, port: CLIENT.port + i });
    if (told) world.client.endpoint.networkChanged(world.clock.now());
    world.client.pump.turn();
  });
}

/** Nothing that was held for them is held any longer. */
async function goodbye(world: ChannelWorld, ...sessions: readonly Session[]): Promise<void> {
  for (const session of sessions) assert.equal(session.closeInfo, undefined);
  for (const session of sessions) session.abort();
  await world.clock.runUntilAsync(() => false, 30_000);
  for (const { endpoint } of [world.client, world.server]) {
    const { receiving, sending } = endpoint.memory;
    assert.deepEqual({ receiving, sending }, { receiving: 0, sending: 0 }, "memory is counted for ever");
  }
}

/** Not how fast it should be, which the congestion controller's tests ask, but that nothing waits for a timer of its own kind. */
function limitMs(link: Link, traits: readonly Trait[], bytes: number): number {
  const roundTrip = 2 * (link.delayMs + link.jitterMs + link.reorderMs);
  const onTheWire = link.rate === 0 ? 0 : bytes / link.rate;
  const delivered = (1 - link.loss) * (1 - link.corrupt);
  const moves = traits.filter(({ kind }) => kind === "move").length;
  return PAUSE_MS + (ROUND_TRIPS * roundTrip) / delivered ** 2 + SHARE * onTheWire + moves * (PAUSE_MS + 2 * roundTrip);
}

const has = (traits: readonly Trait[], ...kinds: readonly Trait["kind"][]): boolean =>
  traits.some(({ kind }) => kinds.includes(kind));
const LINKS = 1_000;
const FEW_LINKS = 36;

const kindOfLinks = (name: string, belongs: (traits: readonly Trait[]) => boolean, check: string): InteropCase => ({
  name: `random links ${name}`,
  check,
  async run(size) {
    const all: Crossing[] = [];
    await withSeeds(size < 1 ? FEW_LINKS : LINKS, async (seed) => {
      const traits = randomTraits(seed);
      if (belongs(traits)) all.push(await playOrShrink(seed, traits, (left) => cross(seed, left, size < 1 ? 0.25 : 1)));
    });
    const used = all.map(({ tookMs, limitMs: limit }) => tookMs / limit).sort((a, b) => a - b);
    const [median = 0, worst = 0] = [used[used.length >> 1], used.at(-1)].map((share) => 100 * (share ?? 0));
    const megabytes = all.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6;
    const held = Math.max(0, ...all.map(({ held: most, bytes }) => most / bytes));
    return `${all.length} links, ${megabytes.toFixed(0)} MB; ${median.toFixed(0)} % of the time in the median, ${worst.toFixed(0)} % at worst; at most ${held.toFixed(1)} times the data held`;
  },
});

/** Each link is one of these. */
export const RANDOM_LINKS: readonly InteropCase[] = [
  kindOfLinks(
    "that lose nothing",
    (traits) => !has(traits, "loss", "corrupt", "move"),
    "delay 0.05 to 250 ms; perhaps jitter up to 100 ms, reordering, duplicates, a rate from 240 kbit/s to 1 Gbit/s with a queue, an MTU: up to 400 KB each way at once arrive whole, in the time allowed, and leave nothing behind",
  ),
  kindOfLinks(
    "that lose",
    (traits) => has(traits, "loss", "corrupt") && !has(traits, "move"),
    "the same with up to 25 % lost or 3 % spoilt",
  ),
  kindOfLinks(
    "with moves",
    (traits) => has(traits, "move"),
    "the same, and up to three times another port or address that the client knows of, or does not",
  ),
];

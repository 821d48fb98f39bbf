import assert from "node:assert/strict";
import { fastestCrypto } from "#crypto/fastest.node.js";
import { DEFAULT_PARAMETERS } from "#transport/params.js";
import type { Session } from "#transport/session.js";
import { SleepingClock } from "../simulation/sleepingClock.js";
import { ChannelWorld, CLIENT } from "./channel.js";
import { Flood, type Stretch } from "./flood.js";
import type { InteropCase } from "./interop/world.js";
import {
  BUFFERBLOAT,
  DUPLICATES,
  HOME,
  live,
  POWER_SAVE,
  type Profile,
  REORDERING,
  WIFI_BAD,
  WIFI_BUSY,
  WIFI_EDGE,
  WIFI_GOOD,
} from "./profiles.js";

// What somebody on such a network would notice: the rate, the delay, how soon it goes on.

const PTO_CAP_MS = 2_000;
const HOUR = 3_600_000;
const SEEDS = 5;

interface Ride {
  readonly world: ChannelWorld;
  readonly client: Session;
  readonly server: Session;
}

async function ride(profile: Profile, seed: number): Promise<Ride> {
  const world = new ChannelWorld({ seed, crypto: fastestCrypto, endpoint: { keepAlive: true } });
  live(world, profile, seed);
  return { world, ...(await world.connected()) };
}

const floodOf = ({ world, client, server }: Ride, down: boolean): Flood =>
  down ? new Flood(world, server, client) : new Flood(world, client, server);

const wait = ({ world }: Ride, ms: number): Promise<boolean> => world.clock.runUntilAsync(() => false, ms);

const percent = (share: number): string => (100 * share).toFixed(share < 0.1 ? 1 : 0);
const range = (values: readonly number[], say: (value: number) => string): string => {
  const [least, most] = [say(Math.min(...values)), say(Math.max(...values))];
  return least === most ? least : `${least}..${most}`;
};

/** For each seed, and down to the client and up from it. */
async function both<T>(size: number, measure: (seed: number, down: boolean) => Promise<T>): Promise<readonly T[]> {
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

const ADDRESS = { host: "10.0.8.1", port: CLIENT.port };

/** Nothing for 1.5 s, then another address. Milliseconds from then to the next bytes at the reader. */
async function roam(seed: number, down: boolean, told: boolean): Promise<number> {
  const one = await ride(HOME, seed);
  const { world, client, server } = one;
  const flood = floodOf(one, down);
  await flood.run(500 + 37 * seed);
  world.network.link = { ...HOME.link, loss: 1 };
  await wait(one, 1_500);
  world.network.link = HOME.link;
  world.client.socket.rebind(ADDRESS);
  if (told) {
    world.client.endpoint.networkChanged(world.clock.now());
    world.client.pump.turn();
  }
  const gap = await flood.next(30_000);
  const stretch = await flood.run(3_000);
  assert.ok(stretch.rate > 0.7 * HOME.capacity, `afterwards ${percent(stretch.rate / HOME.capacity)} %`);
  assert.deepEqual(server.path, ADDRESS);
  assert.equal(client.closeInfo, undefined);
  return gap;
}

const ROAMING: readonly InteropCase[] = [
  {
    name: "roaming: a gap of 1.5 s, then another address",
    check: "the device notices: bytes flow again within 3 round trips, each way, and soon at full rate",
    async run(size) {
      const gaps = await both(size, (seed, down) => roam(seed, down, true));
      for (const gap of gaps) assert.ok(gap <= 3 * 2 * HOME.link.delayMs + 10, `${gap} ms`);
      return `${range(gaps, (ms) => ms.toFixed(0))} ms at 10 ms`;
    },
  },
  {
    name: "roaming, unnoticed",
    check: "only a NAT has changed: what the client sends flows again within one capped probe timeout (2 s)",
    async run(size) {
      const gaps: number[] = [];
      for (let seed = 1; seed <= (size < 1 ? 1 : SEEDS); seed++) gaps.push(await roam(seed, false, false));
      for (const gap of gaps) assert.ok(gap <= PTO_CAP_MS, `${gap} ms`);
      return `${range(gaps, (ms) => ms.toFixed(0))} ms`;
    },
  },
];

/** Eight hours asleep, then another address: milliseconds from waking to the first word at the server. `idleMs` 0: it has waited; else it has long given up. */
async function sleep(idleMs: number): Promise<number> {
  let clock: SleepingClock | undefined;
  const world = new ChannelWorld({
    seed: 3,
    crypto: fastestCrypto,
    endpoint: { parameters: { ...DEFAULT_PARAMETERS, idleMs } },
    clientClock: (outside) => {
      clock = new SleepingClock(outside);
      return clock;
    },
  });
  live(world, HOME, 3);
  const first = await world.connected();
  assert.ok(clock);
  world.network.tap = (bytes, _from, to) => (clock?.asleep && to.port === CLIENT.port ? [] : [bytes]);
  await world.clock.runUntilAsync(() => false, 1_000);
  clock.sleep();
  await world.clock.runUntilAsync(() => false, 8 * HOUR);
  const slept = clock.wake();
  const wokeAt = world.clock.now();
  world.client.socket.rebind(ADDRESS);
  // As hostWatch tells it.
  world.client.endpoint.resume(clock.now(), slept);
  world.client.endpoint.networkChanged(clock.now());
  world.client.pump.turn();
  const word = Uint8Array.of(1);
  const heard = async (session: Session): Promise<void> => {
    for await (const _ of session.datagrams()) return;
    throw new Error("the session ended");
  };
  if (idleMs === 0) {
    first.client.sendDatagram(word);
    await world.until(heard(first.server), 30_000);
    assert.ok(first.server.stats().epoch > 0, "with fresh keys");
    return world.clock.now() - wokeAt;
  }
  await world.until(first.client.closed, 30_000);
  const again = await world.connected();
  again.client.sendDatagram(word);
  await world.until(heard(again.server), 30_000);
  return world.clock.now() - wokeAt;
}

const SLEEP: InteropCase = {
  name: "sleep: eight hours, then another address",
  check:
    "a word arrives within 3 round trips of waking when the server has waited (the new address and fresh keys first), and within 4 when it has given up (told at once, dialled anew)",
  async run() {
    const roundTrip = 2 * HOME.link.delayMs;
    const [waited, gaveUp] = [await sleep(0), await sleep(DEFAULT_PARAMETERS.idleMs)];
    assert.ok(waited <= 3 * roundTrip, `${waited} ms`);
    assert.ok(gaveUp <= 4 * roundTrip, `${gaveUp} ms`);
    return `${waited.toFixed(0)} ms and ${gaveUp.toFixed(0)} ms at ${roundTrip} ms`;
  },
};

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

const BLOAT: InteropCase = {
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

const FADING: InteropCase = {
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

/** Nothing arrives from one end for a while, the other direction lives. */
async function deaf(down: boolean, silentMs: number): Promise<{ one: Ride; gap: number }> {
  const one = await ride(HOME, 4);
  const { world } = one;
  const flood = floodOf(one, down);
  await flood.run(500);
  let silent = true;
  world.network.tap = (bytes, _from, to) => (silent && to.port !== CLIENT.port ? [] : [bytes]);
  await wait(one, silentMs);
  silent = false;
  return { one, gap: await flood.next(3_000) };
}

const ONE_WAY: InteropCase = {
  name: "one-way silence: nothing from the client arrives",
  check:
    "for 3 s: bytes flow again, each way, within one capped probe timeout; for longer than both idle timeouts, one after the other, and a keep-alive: both ends say IDLE",
  async run() {
    const gaps: number[] = [];
    for (const down of [true, false]) {
      const { one, gap } = await deaf(down, 3_000);
      assert.ok(gap <= PTO_CAP_MS, `${gap} ms`);
      assert.equal(one.client.closeInfo, undefined);
      gaps.push(gap);
      const { client, server } = (await deaf(down, (2 + 1 / 3) * DEFAULT_PARAMETERS.idleMs + 5_000)).one;
      assert.deepEqual([client.closeInfo?.error?.code, server.closeInfo?.error?.code], ["IDLE", "IDLE"]);
    }
    return gaps.map((ms) => `${ms.toFixed(0)} ms`).join(" and ");
  },
};

export const RIDES: readonly InteropCase[] = [
  rate({ profile: WIFI_GOOD, afterMs: 300, forMs: 1_000, short: 0.2, share: 0.9, spurious: 0.005 }),
  rate({ profile: WIFI_BUSY, afterMs: 1_000, forMs: 4_000, short: 0.25, share: 0.8, spurious: 0.01 }),
  rate({ profile: WIFI_BAD, afterMs: 1_000, forMs: 19_000, short: 0.1, share: 0.6, spurious: 0.02 }),
  rate({ profile: WIFI_EDGE, afterMs: 1_000, forMs: 39_000, short: 0.25, share: 0.04, spurious: 0.02 }),
  rate({ profile: POWER_SAVE, afterMs: 2_000, forMs: 8_000, short: 0.25, share: 0.5, spurious: 0.001 }),
  rate({ profile: REORDERING, afterMs: 2_000, forMs: 8_000, short: 0.25, share: 0.8, spurious: 0.01 }),
  rate({ profile: DUPLICATES, afterMs: 500, forMs: 5_000, short: 0.2, share: 0.85, spurious: 0 }),
  ...ROAMING,
  SLEEP,
  BLOAT,
  FADING,
  ONE_WAY,
];

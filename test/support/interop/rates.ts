import assert from "node:assert/strict";
import { fastestCrypto } from "#crypto/fastest.node.js";
import type { ControllerName } from "#transport/controllers.js";
import { GOOD_LINK, type Link } from "../../simulation/network.js";
import { SimulatedTransfer } from "../transfer.js";
import { BASE, connected, type InteropCase, MB, same } from "./world.js";

const MBIT = 125;
const RUNS = 5;

interface Goal {
  readonly name: string;
  readonly check: string;
  readonly link: Link;
  readonly megabytes: number;
  /** Of the link's rate, from the dial to the last byte; of a short transfer, which is mostly its beginning. */
  readonly least: number;
  readonly leastOfShort: number;
}

const GOALS: readonly Goal[] = [
  {
    name: "goodput",
    check: "five times 10 MB on 10 Mbit/s: at least 9.0 Mbit/s",
    ...{ link: BASE, megabytes: 10, least: 0.9, leastOfShort: 0.8 },
  },
  {
    name: "goodput, 100 Mbit/s",
    check: "2 ms one way, a queue of 100 KB; five times 100 MB: at least 85 % of the link",
    link: { ...GOOD_LINK, delayMs: 2, rate: 100 * MBIT, queue: 100_000 },
    ...{ megabytes: 100, least: 0.85, leastOfShort: 0.85 },
  },
  {
    name: "goodput, 1 Gbit/s",
    check: "2 ms one way, a queue of 1 MB; five times 100 MB: at least 85 % of the link",
    link: { ...GOOD_LINK, delayMs: 2, rate: 1000 * MBIT, queue: 1_000_000 },
    ...{ megabytes: 100, least: 0.85, leastOfShort: 0.6 },
  },
];

async function goodput({ link, megabytes, least, leastOfShort }: Goal, size: number): Promise<string> {
  const bytes = Math.round(megabytes * MB * Math.max(size, 0.1));
  const shares: number[] = [];
  for (let seed = 1; seed <= (size < 1 ? 1 : RUNS); seed++) {
    const [flow] = await new SimulatedTransfer({ seed, link, flows: [{ congestion: "bbr", bytes }] }).run();
    shares.push(bytes / (flow?.ms ?? Number.POSITIVE_INFINITY) / link.rate);
  }
  const worst = Math.min(...shares);
  assert.ok(worst >= (size < 1 ? leastOfShort : least), `${worst} of the link`);
  return `${shares.map((share) => (100 * share).toFixed(1)).join(", ")} % of the link`;
}

const SHARED: Link = { ...GOOD_LINK, delayMs: 10, rate: 30 * MBIT, queue: 75_000, shared: true };

async function crosstraffic(size: number): Promise<string> {
  // Four flows have found their shares after five seconds, not before.
  const [seeds, until] = size < 1 ? [1, 10_000] : [3, 20_000];
  const shares = async (names: readonly ControllerName[], check: (shares: readonly number[]) => void) => {
    const first: number[] = [];
    for (let seed = 1; seed <= seeds; seed++) {
      const flows = names.map((congestion, i) => ({ congestion, bytes: 1e9, startMs: 200 * i }));
      const all = await new SimulatedTransfer({ seed, link: SHARED, flows }).shares(until / 2, until);
      check(all);
      first.push(all[names.indexOf("bbr")] ?? 0);
    }
    return first.map((share) => (100 * share).toFixed(0)).join(", ");
  };
  const between = (least: number, most: number) => (all: readonly number[]) =>
    assert.ok((all[0] ?? 0) >= least && (all[0] ?? 0) <= most, all.join(", "));
  const ours = await shares(["bbr", "bbr"], between(0.35, 0.65));
  const before = await shares(["bbr", "newreno"], between(0.2, 0.8));
  const behind = size < 1 ? undefined : await shares(["newreno", "bbr"], between(0.2, 0.8));
  let worst = 1;
  await shares(["bbr", "bbr", "bbr", "bbr"], (all) => {
    const jain = 1 / (4 * all.reduce((sum, share) => sum + share * share, 0));
    worst = Math.min(worst, jain);
    assert.ok(jain >= 0.9, all.join(", "));
  });
  const reno = behind === undefined ? before : `${before} (there first), ${behind} (joining)`;
  return `beside ourselves ${ours} %; beside NewReno ${reno} %; Jain ${worst.toFixed(2)}`;
}

/** What the simulator costs: the machine says, nothing is asserted. */
async function virtualTime(size: number): Promise<string> {
  const virtualMs = 30_000 * Math.max(size, 0.2);
  const { world, client, server } = await connected({ crypto: fastestCrypto });
  const bytes = world.random.bytes(Math.round(virtualMs * BASE.rate * 0.95));
  const before = performance.now();
  const took = await same(world, client, server, bytes);
  const cost = performance.now() - before;
  assert.ok(took > 0.8 * virtualMs && took < 1.5 * virtualMs, `${took}`);
  return `${((30 * cost) / took).toFixed(2)} s`;
}

export const RATES: readonly InteropCase[] = [
  ...GOALS.map((goal) => ({
    name: goal.name,
    check: goal.check,
    run: (size: number): Promise<string> => goodput(goal, size),
  })),
  {
    name: "crosstraffic",
    check:
      "30 Mbit/s, 20 ms, shared: beside another of ours we take 35 to 65 %, beside one NewReno flow 20 to 80 %; of four of ours Jain's index is at least 0.9",
    run: crosstraffic,
  },
  {
    name: "virtual time",
    check: "what simulating 30 s of both ends of a full link of 10 Mbit/s takes the machine",
    run: virtualTime,
  },
];

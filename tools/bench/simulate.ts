import { parseArgs } from "node:util";
import type { ControllerName } from "#transport/controllers.js";
import { GOOD_LINK, type Link } from "../../test/simulation/network.js";
import { SimulatedTransfer } from "../../test/support/transfer.js";

const MBIT = 125;

/** Rates in bytes a millisecond, queues in bytes. */
const PROFILES: Readonly<Record<string, Link>> = {
  "100 Mbit/s, 40 ms": { ...GOOD_LINK, delayMs: 20, rate: 100 * MBIT, queue: 500_000 },
  "100 Mbit/s, 40 ms, queue of a fifth": { ...GOOD_LINK, delayMs: 20, rate: 100 * MBIT, queue: 100_000 },
  "500 Mbit/s, 20 ms, 1 % loss": { ...GOOD_LINK, delayMs: 10, rate: 500 * MBIT, queue: 1_250_000, loss: 0.01 },
  "Wi-Fi: 200 Mbit/s, 2 ms + 0..3, 0.5 % loss": {
    ...GOOD_LINK,
    delayMs: 2,
    jitterMs: 3,
    rate: 200 * MBIT,
    queue: 256_000,
    loss: 0.005,
  },
  "1 Gbit/s, 0.4 ms": { ...GOOD_LINK, delayMs: 0.2, rate: 1000 * MBIT, queue: 256_000 },
  "reordering 17.5 % by 1..23 packets": {
    ...GOOD_LINK,
    delayMs: 5,
    rate: 100 * MBIT,
    queue: 500_000,
    reorder: 0.175,
    reorderMs: 1.5,
  },
};

/** Two flows meet: queues of one, three and 0.4 bandwidth-delay products. */
const SHARED: Readonly<Record<string, Link>> = {
  "20 ms, queue 1 BDP": { ...GOOD_LINK, delayMs: 10, rate: 30 * MBIT, queue: 75_000, shared: true },
  "6 ms, queue 3 BDP": { ...GOOD_LINK, delayMs: 3, rate: 30 * MBIT, queue: 67_500, shared: true },
  "20 ms, queue 0.4 BDP": { ...GOOD_LINK, delayMs: 10, rate: 30 * MBIT, queue: 30_000, shared: true },
};
const PAIRS = [
  ["bbr", "bbr"],
  ["bbr", "cubic"],
  ["cubic", "bbr"],
  ["bbr", "newreno"],
  ["newreno", "bbr"],
] as const;
const SEEDS = [1, 2, 3];

const { values: options } = parseArgs({ options: { only: { type: "string" }, mib: { type: "string" } } });
const bytes = Number(options.mib ?? 16) * 2 ** 20;

for (const [name, link] of Object.entries(PROFILES)) {
  if (options.only && !name.includes(options.only)) continue;
  for (const congestion of ["bbr", "cubic", "newreno"] as const) console.log(name, await alone(link, congestion));
}

for (const [name, link] of Object.entries(SHARED)) {
  if (options.only && !name.includes(options.only)) continue;
  for (const pair of PAIRS) console.log(`${name}: ${pair[0]} before ${pair[1]}: ${await together(link, pair)}`);
}

/** Shares of the flow that was there first, 5 to 15 s, one a seed. */
async function together(link: Link, [first, second]: (typeof PAIRS)[number]): Promise<string> {
  const shares: string[] = [];
  for (const seed of SEEDS) {
    const flows = [
      { congestion: first, bytes: 1e9 },
      { congestion: second, bytes: 1e9, startMs: 300 },
    ];
    const [share = 0] = await new SimulatedTransfer({ seed, link, flows }).shares(5000, 15_000);
    shares.push(`${(100 * share).toFixed(0)} %`);
  }
  return shares.join(", ");
}

async function alone(link: Link, congestion: ControllerName): Promise<string> {
  const transfer = new SimulatedTransfer({ seed: 1, link, flows: [{ congestion, bytes }] });
  const [flow] = await transfer.run();
  if (!flow) return "failed";
  const share = bytes / flow.ms / link.rate;
  const { packetsLost, spuriousLosses, rttMs, window } = flow.stats;
  return `${congestion}: ${(100 * share).toFixed(1)} % of the link in ${flow.ms.toFixed(0)} ms, lost ${packetsLost} (${spuriousLosses} not), rtt ${rttMs.toFixed(1)}, window ${window.toFixed(0)}`;
}

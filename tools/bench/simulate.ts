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

const { values: options } = parseArgs({ options: { only: { type: "string" }, mib: { type: "string" } } });
const bytes = Number(options.mib ?? 16) * 2 ** 20;

for (const [name, link] of Object.entries(PROFILES)) {
  if (options.only && !name.includes(options.only)) continue;
  for (const congestion of ["bbr", "cubic", "newreno"] as const) console.log(name, await alone(link, congestion));
}

async function alone(link: Link, congestion: ControllerName): Promise<string> {
  const transfer = new SimulatedTransfer({ seed: 1, link, flows: [{ congestion, bytes }] });
  const [flow] = await transfer.run();
  if (!flow) return "failed";
  const share = bytes / flow.ms / link.rate;
  const { packetsLost, spuriousLosses, rttMs, window } = flow.stats;
  return `${congestion}: ${(100 * share).toFixed(1)} % of the link in ${flow.ms.toFixed(0)} ms, lost ${packetsLost} (${spuriousLosses} not), rtt ${rttMs.toFixed(1)}, window ${window.toFixed(0)}`;
}

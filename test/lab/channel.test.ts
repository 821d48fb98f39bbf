import assert from "node:assert/strict";
import { test } from "node:test";
import { type LinkSettings, openLab, whyNoLab } from "../../tools/bench/lab/lab.js";
import { runPair } from "../../tools/bench/pair.js";

const MIB = 2 ** 20;
const skip = whyNoLab() ?? false;

async function transfer(link: LinkSettings, mib: number, datagram: number, mtu = 1500) {
  await using lab = await openLab(link, mtu);
  const work = { kind: "bulk", bytes: mib * MIB, times: 0, settings: { datagram } } as const;
  return await runPair("handfast", work, lab.place);
}

test("a real kernel, a bad cable: every byte arrives", { skip }, async () => {
  const { details } = await transfer({ delay: 10, loss: 3, seed: 3 }, 4, 1472);
  assert.ok((details["packetsLost"] ?? 0) > 0);
});

test("packets grow to the interface's MTU and not beyond", { skip }, async () => {
  for (const [mtu, datagram] of [
    [1500, 1472],
    [9000, 8972],
  ] as const) {
    const { details } = await transfer({ delay: 1 }, 8, datagram, mtu);
    assert.equal(details["packetSize"], datagram);
  }
});

test("a cable that carries less than the interface says: the transfer finds the size that passes", {
  skip,
}, async () => {
  // Each size that does not pass costs three probes, five round trips apart: a short transfer is over before the search.
  const { details } = await transfer({ delay: 1, mtu: 1400 }, 16, 1472);
  const size = details["packetSize"] ?? 0;
  assert.ok(size > 1340 && size <= 1372, `${size}`);
});

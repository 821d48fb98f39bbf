import assert from "node:assert/strict";
import { DEFAULT_PARAMETERS } from "#transport/params.js";
import { CLIENT } from "../channel.js";
import type { InteropCase } from "../interop/world.js";
import { HOME } from "../profiles.js";
import { floodOf, PTO_CAP_MS, type Ride, ride, wait } from "./ride.js";

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

export const ONE_WAY: InteropCase = {
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

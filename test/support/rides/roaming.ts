import assert from "node:assert/strict";
import type { Address } from "#kernel/ports.js";
import { CLIENT } from "../channel.js";
import type { InteropCase } from "../interop/world.js";
import { HOME } from "../profiles.js";
import { both, floodOf, PTO_CAP_MS, percent, range, ride, SEEDS, wait } from "./ride.js";

export const ADDRESS: Address = { host: "10.0.8.1", port: CLIENT.port };

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

export const ROAMING: readonly InteropCase[] = [
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

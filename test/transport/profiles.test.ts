import assert from "node:assert/strict";
import { test } from "node:test";
import { withSeeds } from "../simulation/seeds.js";
import { ChannelWorld } from "../support/channel.js";
import { live, PROFILES } from "../support/profiles.js";
import { transfer } from "../support/streams.js";

const BYTES = 512 * 1024;

for (const profile of PROFILES)
  test(`${profile.name}: half a mebibyte each way arrives, and the session lives`, async (context) => {
    await withSeeds(1, async (seed) => {
      const world = new ChannelWorld({ seed, endpoint: { keepAlive: true } });
      const { client, server } = await world.connected();
      live(world, profile, seed);
      const bytes = world.random.bytes(BYTES);
      const start = world.clock.now();
      const [up, down] = [transfer(client, server, bytes), transfer(server, client, bytes)];
      assert.ok(Buffer.from(await world.until(up, 120_000)).equals(bytes));
      assert.ok(Buffer.from(await world.until(down, 120_000)).equals(bytes));
      const { packetsLost, packetsSent } = client.stats();
      const took = Math.round(world.clock.now() - start);
      context.diagnostic(`${profile.name}: ${took} ms, ${packetsLost} of ${packetsSent} taken for lost`);
      assert.deepEqual([client.closeInfo, server.closeInfo], [undefined, undefined]);
    });
  });

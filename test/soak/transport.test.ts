import assert from "node:assert/strict";
import { test } from "node:test";
import { REKEY_LIMITS } from "#transport/rekeyLimits.js";
import { TERRIBLE_LINK } from "../simulation/network.js";
import { withSeeds } from "../simulation/seeds.js";
import { ChannelWorld } from "../support/channel.js";
import { transfer } from "../support/streams.js";

test("1 MiB arrives unharmed on 1,000 terrible networks, with rekeys on the way", async () => {
  await withSeeds(1000, async (seed) => {
    const rekeyLimits = seed % 4 === 0 ? { ...REKEY_LIMITS, softPackets: 300 } : REKEY_LIMITS;
    const world = new ChannelWorld({ seed, link: TERRIBLE_LINK, endpoint: { rekeyLimits } });
    const bytes = world.random.bytes(1024 * 1024);
    const { client, server } = await world.connected();
    const [from, to] = seed % 2 === 0 ? [client, server] : [server, client];
    const received = await world.until(transfer(from, to, bytes));
    assert.ok(Buffer.from(received).equals(bytes), "the bytes differ");
  });
});

test("1,000 rekeys in a row under loss", async () => {
  const world = new ChannelWorld({ seed: 1, link: { ...TERRIBLE_LINK, loss: 0.05 }, endpoint: { keepAlive: true } });
  const { client } = await world.connected();
  for (let epoch = 1; epoch <= 1000; epoch++) assert.deepEqual(await world.until(client.rekey()), { epoch });
});

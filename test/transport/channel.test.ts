import assert from "node:assert/strict";
import { test } from "node:test";
import { TERRIBLE_LINK } from "../simulation/network.js";
import { withSeeds } from "../simulation/seeds.js";
import { ChannelWorld } from "../support/channel.js";
import { firstOf, readAll, transfer } from "../support/streams.js";

test("a stream carries bytes both ways and ends", async () => {
  const world = new ChannelWorld({ seed: 1 });
  const { client, server } = await world.connected();
  const echo = (async () => {
    const stream = await firstOf(server.incomingStreams());
    await stream.write(await readAll(stream));
    await stream.end();
  })();
  const stream = await client.openStream();
  await stream.write(new TextEncoder().encode("hello"));
  await stream.end();
  assert.equal(new TextDecoder().decode(await world.until(readAll(stream))), "hello");
  await world.until(echo);
});

test("1 MiB arrives unharmed under 30 % loss, duplication, reordering and corruption", async () => {
  await withSeeds(100, async (seed) => {
    const world = new ChannelWorld({ seed, link: TERRIBLE_LINK });
    const bytes = world.random.bytes(1024 * 1024);
    const { client, server } = await world.connected();
    const received = await world.until(transfer(client, server, bytes));
    assert.ok(Buffer.from(received).equals(bytes), "the bytes differ");
  });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { ChannelWorld } from "../support/channel.js";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

test("a stream goes on past 1 GiB, where its offsets take eight bytes, in the largest packets there are", async () => {
  const world = new ChannelWorld({ seed: 1, endpoint: { maxDatagram: () => 61_440 } });
  const { client, server } = await world.connected();
  const chunk = world.random.bytes(MIB);
  const total = GIB + 32 * MIB;
  let received = 0;
  const reading = (async () => {
    for await (const stream of server.incomingStreams()) {
      for (let bytes = await stream.read(); bytes; bytes = await stream.read()) {
        const at = received % MIB;
        assert.ok(Buffer.from(bytes.subarray(0, MIB - at)).equals(chunk.subarray(at, at + bytes.length)));
        received += bytes.length;
      }
      return;
    }
  })();
  const writing = (async () => {
    const stream = await client.openStream();
    for (let sent = 0; sent < total; sent += MIB) await stream.write(chunk.slice());
    await stream.end();
  })();
  await world.until(Promise.all([reading, writing]), 3_600_000);
  assert.equal(received, total);
  assert.ok(client.stats().packetSize > 0x4000);
});

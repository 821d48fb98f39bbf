import assert from "node:assert/strict";
import { test } from "node:test";
import { nativeCrypto } from "#crypto/native.node.js";
import { concat } from "#kernel/bytes.js";
import type { Address } from "#kernel/ports.js";
import { ChannelWorld } from "../support/channel.js";
import { withoutMacs, withoutTags } from "../support/crypto.js";
import { answersTo, isData, mutate, type Recorded, STATES } from "../support/hostileStates.js";
import { transfer } from "../support/streams.js";

const STRANGER: Address = { host: "10.0.0.66", port: 6666 };

test("memory does not grow with the number of hostile datagrams", async () => {
  const { world, sent } = await (STATES["live"] as (seed: number) => Promise<Recorded>)(3);
  const { random } = world;
  const now = world.clock.now();
  const flood = (count: number): void => {
    for (let i = 0; i < count; i++)
      answersTo(
        world.server,
        mutate({ world, sent }, random),
        { host: `10.1.${i % 256}.${(i >> 8) % 256}`, port: i },
        now + i,
      );
  };
  flood(2_000);
  const before = process.memoryUsage().heapUsed;
  flood(6_000);
  assert.ok(process.memoryUsage().heapUsed - before < 30 * 1024 * 1024);
});

test("without mac1 any stranger would get an answer", () => {
  for (const [crypto, answered] of [
    [nativeCrypto, false],
    [withoutMacs(nativeCrypto), true],
  ] as const) {
    const world = new ChannelWorld({ seed: 71, crypto });
    // A scanner's Init: its mac is what the twin takes for one.
    const scan = concat(Uint8Array.of(0xc0, 0x48, 0x46, 0, 1), world.random.bytes(1200 - 5 - 32), new Uint8Array(32));
    // Under load even a stranger would be answered with a Cookie: exhaust the source's bucket first.
    let bytes = 0;
    for (let i = 0; i < 10; i++) {
      scan[20] = i;
      bytes += answersTo(world.server, scan, STRANGER, world.clock.now());
    }
    assert.equal(bytes > 0, answered);
  }
});

test("without the tag anybody on the wire could write into the channel", async () => {
  for (const [crypto, altered] of [
    [nativeCrypto, false],
    [withoutTags(nativeCrypto), true],
  ] as const) {
    const world = new ChannelWorld({ seed: 72, crypto });
    world.network.tap = (bytes) => {
      // Larger ones only probe the size of the path.
      if (!isData(bytes) || bytes.length < 600 || bytes.length > 1200) return [bytes];
      const bad = bytes.slice();
      bad[500] = (bad[500] ?? 0) ^ 0xff;
      // The honest packet comes second: too late if the edited one was taken.
      return [bad, bytes];
    };
    const { client, server } = await world.connected();
    const bytes = world.random.bytes(5_000);
    const received = await world.until(transfer(client, server, bytes), 60_000);
    assert.equal(Buffer.from(received).equals(bytes), !altered);
  }
});

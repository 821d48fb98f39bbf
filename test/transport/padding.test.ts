import assert from "node:assert/strict";
import { test } from "node:test";
import { type Address, sameAddress } from "#kernel/ports.js";
import type { Session } from "#transport/session.js";
import { ChannelWorld, CLIENT } from "../support/channel.js";
import { frame, HostileClient } from "../support/hostile.js";
import { isData } from "../support/hostileStates.js";
import { transfer } from "../support/streams.js";

const STEP = 128;

/** A connected world that keeps still, and what the client sends from then on. */
async function quiet(
  padTo: number | undefined,
  maxDatagram = 1200,
): Promise<{ world: ChannelWorld; client: Session; server: Session; sizes: number[] }> {
  const world = new ChannelWorld({ seed: 1, endpoint: { padTo, maxDatagram: () => maxDatagram } });
  const sizes: number[] = [];
  const { client, server } = await world.connected();
  await world.clock.runUntilAsync(() => false, 1000);
  world.network.tap = (bytes, from) => {
    if (isData(bytes) && sameAddress(from, CLIENT)) sizes.push(bytes.length);
    return [bytes];
  };
  return { world, client, server, sizes };
}

/** Three bytes of DATAGRAM frame, 29 of packet. */
const AROUND = 32;
/** With the largest datagram that a path of 1200 takes. */
const LARGEST = 1195;

for (const [padTo, sent, seen] of [
  // One byte below, at and above a multiple; a byte above the last multiple that fits the path's 1200, and the largest.
  [STEP, [127, 128, 129, 1152, 1153, LARGEST], [128, 128, 256, 1152, 1200, 1200]],
  [undefined, [127, 128, 129, 1152, 1153, LARGEST], [127, 128, 129, 1152, 1153, LARGEST]],
  // As large as packets may be: everything looks full.
  [1200, [100, 1153, LARGEST], [1200, 1200, 1200]],
  // Less than the smallest packet changes nothing but the remainder.
  [1, [127, 128, 1153], [127, 128, 1153]],
] as const)
  test(`padTo ${padTo}: packets of ${sent.join(", ")} bytes`, async () => {
    const { world, client, sizes } = await quiet(padTo);
    for (const size of sent) {
      assert.ok(client.sendDatagram(new Uint8Array(size - AROUND)));
      const before = sizes.length;
      await world.clock.runUntilAsync(() => sizes.length > before, 100);
      // Its ACK comes back, and nothing else is to be said.
      await world.clock.runUntilAsync(() => false, 100);
    }
    assert.deepEqual(sizes, seen);
  });

for (const padTo of [STEP, undefined])
  test(`padTo ${padTo}: of a transfer, its ACKs and its end`, async () => {
    const { world, client, server, sizes } = await quiet(padTo);
    const bytes = world.random.bytes(100_001);
    assert.ok(Buffer.from(await world.until(transfer(client, server, bytes))).equals(bytes));
    await world.until(transfer(server, client, bytes));
    await world.until(client.rekey());
    await world.until(client.close({ reason: "done" }));
    const odd = sizes.filter((size) => size % STEP !== 0 && size !== 1200);
    assert.equal(odd.length === 0, padTo === STEP, `${odd.length} of ${sizes.length}`);
    assert.ok(sizes.every((size) => size <= 1200));
    assert.ok(sizes.filter((size) => size >= 1190).length >= 100_000 / 1200, "full packets are full");
  });

test("a path of larger packets: multiples, full packets and probes", async () => {
  const { world, client, server, sizes } = await quiet(STEP, 1452);
  await world.until(transfer(client, server, world.random.bytes(500_000)));
  const others = new Set(sizes.filter((size) => size % STEP !== 0));
  assert.deepEqual(others, new Set([1200, 1452]));
});

test("PADDING never breaks the limit of three times what an unproved address has sent", () => {
  for (const padTo of [undefined, 512]) {
    const world = new ChannelWorld({ seed: 3, endpoint: { padTo } });
    const client = new HostileClient(world);
    client.drain();
    const elsewhere: Address = { host: "10.0.0.77", port: 77 };
    client.from = elsewhere;
    client.send(frame(0x01));
    for (let i = 0; i < 10; i++) client.wait(1000);
    const there = client.answers.filter(({ to }) => sameAddress(to, elsewhere));
    assert.ok(there.length > 0, "it was asked");
    assert.ok(there.reduce((sum, { size }) => sum + size, 0) <= 3 * 44);
  }
});

test("a step that no path carries is refused", () => {
  for (const padTo of [0, -1, 1.5, 1201, Number.NaN])
    assert.throws(() => new ChannelWorld({ seed: 4, endpoint: { padTo } }), RangeError, String(padTo));
  for (const padTo of [1, 1200]) assert.ok(new ChannelWorld({ seed: 4, endpoint: { padTo } }).server);
});

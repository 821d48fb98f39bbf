import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connection } from "#transport/connection.js";
import { cidKey } from "#transport/connectionId.js";
import { ConnectionTable, type Entry } from "#transport/connectionTable.js";
import type { PacketProtection } from "#transport/packet.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { ChannelWorld, CLIENT } from "../support/channel.js";

const random = new SeededRandom(91);
const looks = { deadline: 0 };

function parked(i: number, live = true): Entry {
  const connection = {
    get deadline() {
      looks.deadline++;
      return 30_000 + i;
    },
  } as unknown as Connection;
  const none = new Uint8Array();
  return {
    connection,
    protection: undefined as unknown as PacketProtection,
    role: "initiator",
    ...{
      peerId: `peer ${i % 5000}`,
      peerStatic: none,
      exporter: none,
      psk: none,
      since: 0,
      live,
      heard: live,
      held: false,
      copied: false,
    },
    cids: new Set([cidKey(random.bytes(8))]),
    resetToken: random.bytes(16),
  };
}

test("with 10,000 parked connections a packet, a reset and a tick look at one", () => {
  const table = new ConnectionTable();
  const entries = Array.from({ length: 10_000 }, (_, i) => parked(i));
  for (const entry of entries) table.add(entry);
  for (let entry = table.active(); entry; entry = table.active()) table.rest(entry);
  looks.deadline = 0;
  for (const entry of entries.slice(0, 100)) {
    const [cid] = entry.cids;
    assert.equal(table.get(cid ?? 0), entry);
    table.touch(entry);
    assert.equal(table.active(), entry);
    table.rest(entry);
    assert.equal(table.active(), undefined);
  }
  assert.equal(looks.deadline, 100);
  const reset = new Uint8Array(43);
  reset.set(entries[77]?.resetToken ?? [], 27);
  assert.equal(table.byToken(reset), entries[77]);
  reset[27] = (reset[27] ?? 0) ^ 1;
  assert.equal(table.byToken(reset), undefined);
  assert.equal(table.takeDue(29_999), undefined);
  assert.equal(table.takeDue(30_000)?.entry, entries[0]);
  assert.equal(table.deadline, 30_001);
  assert.equal(looks.deadline, 100);
  assert.equal(table.ofPeer("peer 3").length, 2);
});

test("a half-open connection lives fifteen seconds, and the oldest of a device goes first", () => {
  const table = new ConnectionTable();
  const [first, second, other] = [parked(1, false), parked(5001, false), parked(2, false)];
  for (const entry of [first, second, other]) table.add(entry);
  assert.equal(table.halfOpen, 3);
  assert.equal(table.halfOpenOf("peer 1"), 2);
  assert.equal(table.oldestHalfOpen("peer 2"), other);
  assert.equal(table.oldestHalfOpen(), first);
  for (let entry = table.active(); entry; entry = table.active()) table.rest(entry);
  assert.equal(table.deadline, 15_000);
  assert.equal(table.takeDue(14_999), undefined);
  assert.equal(table.takeDue(15_000)?.expired, true);
  table.setLive(second);
  assert.equal(table.halfOpen, 2);
});

test("what was forgotten is found by nothing, and writing to it wakes nobody", () => {
  const table = new ConnectionTable();
  const entry = parked(1);
  const [cid] = entry.cids;
  table.add(entry);
  assert.equal(table.delete(entry), true);
  assert.equal(table.delete(entry), false);
  table.touch(entry);
  assert.equal(table.active(), undefined);
  assert.equal(table.get(cid ?? 0), undefined);
  assert.equal(table.size, 0);
});

test("an application that goes on with a dead session gets errors, not a hang", async () => {
  const world = new ChannelWorld({ seed: 92 });
  const { client } = await world.connected();
  const stream = await client.openStream();
  await world.until(client.close());
  await world.clock.runUntilAsync(() => false, 60_000);
  await assert.rejects(stream.write(Uint8Array.of(1)), { code: "CLOSED" });
  await assert.rejects(client.rekey(), { code: "CLOSED" });
  stream.reset();
  client.sendDatagram(Uint8Array.of(1));
  world.network.inject(new Uint8Array(100).fill(0x40), CLIENT, CLIENT);
  await world.clock.runUntilAsync(() => false, 1_000);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { BASE_DATAGRAM, PathMtu } from "#transport/mtu.js";
import type { SentPacket } from "#transport/sentPacket.js";
import { GOOD_LINK } from "../simulation/network.js";
import { SimulatedTransfer } from "../support/transfer.js";

const RTT = 10;

/** Lets the search run over a path that carries `carries` bytes; returns what it sent. */
function search(mtu: PathMtu, carries: number, now = 0): number[] {
  const probes: number[] = [];
  for (let step = 0; step < 200; step++, now += RTT) {
    const size = mtu.probeDue(now);
    if (size === undefined) continue;
    probes.push(size);
    mtu.onProbeSent(size);
    assert.equal(mtu.probeDue(now), undefined, "one probe at a time");
    if (size <= carries) mtu.onProbeAcked(size, now);
    else mtu.onProbeLost(size, now, RTT);
  }
  return probes;
}

function lost(size: number): SentPacket {
  const delivery = { delivered: 0, deliveredAt: 0, flightStart: 0, inFlight: 0, lost: 0, appLimited: false };
  return { number: 0, sentAt: 0, size, frames: [], probe: false, ...delivery };
}

test("the largest allowed size is tried first, and one answer ends the search", () => {
  const mtu = new PathMtu(61_440);
  assert.equal(mtu.current, BASE_DATAGRAM);
  assert.deepEqual(search(mtu, 65_507), [61_440]);
  assert.equal(mtu.current, 61_440);
});

test("never above what the interface allows, even when more would arrive in pieces", () => {
  const mtu = new PathMtu(1472);
  assert.deepEqual(search(mtu, 65_507), [1472]);
  assert.equal(new PathMtu(500).current, BASE_DATAGRAM);
});

test("three losses mean too large; the search halves what is left and stops within twenty bytes", () => {
  for (const [max, carries] of [
    [61_440, 1472],
    [61_440, 8972],
    [8972, 1400],
    [1472, 1200],
    [1472, 1453],
  ] as const) {
    const mtu = new PathMtu(max);
    const probes = search(mtu, carries);
    assert.ok(mtu.current <= carries && carries - mtu.current < 20, `${max}, ${carries}: ${mtu.current}`);
    for (const size of new Set(probes))
      assert.ok(probes.filter((other) => other === size).length <= 3, `${size} tried more than three times`);
  }
});

test("ten minutes later what was too large is tried again", () => {
  const mtu = new PathMtu(8972);
  search(mtu, 1472);
  assert.equal(mtu.probeDue(599_000), undefined);
  assert.equal(mtu.probeDue(610_000), 8972);
});

test("four bursts of losses of large packets, with small ones arriving, are a black hole; mere loss is none", () => {
  const mtu = new PathMtu(1472);
  search(mtu, 1472);
  for (let i = 0; i < 20; i++) {
    assert.equal(mtu.onLost([lost(1472)], 0), false);
    mtu.onAcked(1472);
    mtu.onAcked(100);
  }
  for (let i = 0; i < 20; i++)
    assert.equal(mtu.onLost([lost(1472)], 0), false, "an outage: nothing small arrives either");
  mtu.onAcked(1472);
  for (let i = 0; i < 20; i++) assert.equal(mtu.onLost([lost(1472), lost(100)], 0), false, "small ones are lost too");
  mtu.onAcked(1472);
  for (let i = 0; i < 3; i++) {
    assert.equal(mtu.onLost([lost(1472)], 1000), false);
    mtu.onAcked(100);
  }
  assert.equal(mtu.onLost([lost(1472)], 1000), true);
  assert.equal(mtu.current, BASE_DATAGRAM);
  assert.equal(mtu.probeDue(60_000), undefined);
  assert.notEqual(mtu.probeDue(61_001), undefined);
});

test("on a path of 1300 bytes a transfer grows its packets to within twenty bytes, and loses only probes", async () => {
  const link = { ...GOOD_LINK, delayMs: 2, rate: 2000, mtu: 1300 };
  const flows = [{ congestion: "bbr", bytes: 4 * 2 ** 20 }] as const;
  const [flow] = await new SimulatedTransfer({ seed: 1, link, flows, maxDatagram: 1472 }).run();
  const size = flow?.stats.packetSize ?? 0;
  assert.ok(size > 1280 && size <= 1300, `${size}`);
  assert.equal(flow?.stats.packetsLost, 0);
});

test("a path that shrinks under a transfer does not stop it", async () => {
  const link = { ...GOOD_LINK, delayMs: 2, rate: 2000 };
  const flows = [{ congestion: "bbr", bytes: 8 * 2 ** 20 }] as const;
  const transfer = new SimulatedTransfer({ seed: 1, link, flows, maxDatagram: 1472 });
  transfer.clock.schedule(1000, () => {
    transfer.network.link = { ...link, mtu: 1280 };
  });
  const [flow] = await transfer.run();
  assert.ok((flow?.ms ?? Number.POSITIVE_INFINITY) < 20_000, `${flow?.ms} ms`);
  assert.equal(flow?.stats.packetSize, BASE_DATAGRAM);
});

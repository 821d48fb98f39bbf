import assert from "node:assert/strict";
import { test } from "node:test";
import { Pacer, windowRate } from "#transport/pacer.js";

const RTT_MS = 10;

/** Packets that may leave at one moment. */
function burst(pacer: Pacer, now: number, rate: number, size: number): number {
  let packets = 0;
  while (pacer.nextAt(now, rate, RTT_MS) <= now) {
    pacer.onSent(size);
    packets++;
  }
  return packets;
}

test("a burst is two milliseconds of the rate, at least ten packets and at most a hundred and twenty-eight", () => {
  for (const [rate, packets] of [
    [10, 10],
    [1000 * 10, 20],
    [1000 * 1000, 128],
  ] as const) {
    const pacer = new Pacer(1000);
    burst(pacer, 0, rate, 1000);
    assert.equal(burst(pacer, 10_000, rate, 1000), packets, `rate ${rate}`);
  }
});

test("large packets go two at a time at least, and never more than one mebibyte", () => {
  const pacer = new Pacer(61_440);
  assert.equal(burst(pacer, 0, 1, 61_440), 2);
  assert.equal(burst(pacer, 1e6, 1e6, 61_440), 17);
});

test("with timers of one millisecond the long-term rate is the one asked for", () => {
  const rate = 5000;
  const pacer = new Pacer(1250);
  let sent = 0;
  for (let now = 0; now < 1000; now += 1.16) sent += burst(pacer, now, rate, 1250) * 1250;
  assert.ok(Math.abs(sent / 1000 - rate) < 0.02 * rate, `${sent / 1000} bytes a millisecond`);
});

test("a wait is never shorter than a timer can be", () => {
  const pacer = new Pacer(1000);
  burst(pacer, 0, 1e6, 1000);
  assert.equal(pacer.nextAt(0, 1e6, RTT_MS), 1);
  assert.equal(pacer.nextAt(0, 100, RTT_MS), 10);
});

test("a shortest round trip of less than a millisecond is not paced, one of a millisecond is", () => {
  const pacer = new Pacer(1000);
  burst(pacer, 0, 100, 1000);
  assert.equal(pacer.nextAt(0, 100, 0.999), 0);
  assert.equal(pacer.nextAt(0, 100, 1), 10);
  assert.equal(pacer.nextAt(0, 100, Number.POSITIVE_INFINITY), 10, "not measured yet");
});

test("the rate of a window is a quarter above it, and twice it in slow start", () => {
  assert.equal(windowRate(10_000, 10, false), 1250);
  assert.equal(windowRate(10_000, 10, true), 2000);
  assert.ok(Number.isFinite(windowRate(10_000, 0, true)));
});

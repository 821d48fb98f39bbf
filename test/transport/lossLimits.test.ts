import assert from "node:assert/strict";
import { test } from "node:test";
import { LossLimits } from "#transport/lossLimits.js";

const PACKET = 1000;

function overflowed(): LossLimits {
  const limits = new LossLimits();
  limits.onProbeOverflow(1_000_000, 0);
  return limits;
}

test("an overflow costs 15 per cent, cruising leaves another 15, and the next probe begins there", () => {
  const limits = overflowed();
  assert.equal(limits.whole, 850_000);
  assert.equal(limits.withHeadroom, 722_500);
  limits.onProbe();
  assert.equal(limits.whole, 722_500);
});

test("a probe rises by one packet a round, then two, four, eight: as fast for a small flow as for a large one", () => {
  for (const inFlight of [100_000, 1_000_000]) {
    const limits = new LossLimits();
    limits.onProbeOverflow(inFlight, 0);
    limits.onProbe();
    const gained: number[] = [];
    for (let round = 0; round < 4; round++) {
      const before = limits.whole;
      assert.equal(limits.raise(before, before, round > 0, PACKET), true);
      gained.push(Math.round((limits.whole - before) / PACKET));
    }
    assert.deepEqual(gained, [1, 2, 4, 8]);
  }
});

test("a startup that overflows the queue gives what CUBIC gives, but keeps what fills the path", () => {
  const limits = new LossLimits();
  limits.onStartupOverflow(1_000_000, 0);
  assert.equal(limits.whole, 700_000);
  limits.onStartupOverflow(1_000_000, 800_000);
  assert.equal(limits.whole, 800_000);
});

test("a probe never rises by more than 16 packets a round, or a 32nd where that is more", () => {
  for (const [inFlight, most] of [
    [100_000, 16],
    [10_000_000, 226],
  ] as const) {
    const limits = new LossLimits();
    limits.onProbeOverflow(inFlight, 0);
    limits.onProbe();
    let gained = 0;
    for (let round = 0; round < 9; round++) {
      const before = limits.whole;
      limits.raise(before, before, true, PACKET);
      gained = Math.round((limits.whole - before) / PACKET);
    }
    assert.ok(gained >= most && gained < 1.2 * most, `${gained} packets`);
  }
});

test("what is not in use does not rise: nine tenths of the ceiling are, less are not", () => {
  assert.equal(overflowed().raise(0.9 * 850_000, 10 * PACKET, false, PACKET), true);
  assert.equal(overflowed().raise(0.9 * 850_000 - 1, 10 * PACKET, false, PACKET), false);
});

test("a probe that had too little to send to overflow anything leaves the ceiling as it was", () => {
  const limits = overflowed();
  for (let probe = 0; probe < 10; probe++) {
    limits.onProbe();
    limits.onProbeOver();
  }
  assert.equal(limits.whole, 850_000);
  limits.onProbe();
  limits.onProbeOverflow(500_000, 0);
  limits.onProbeOver();
  assert.equal(limits.whole, 425_000, "one that overflowed it says more than the one before");
});

test("others' overflow lowers rate and window to no less than 0.7, and until the next probe", () => {
  const limits = new LossLimits();
  limits.onSqueeze({ rate: 10, delivered: 10_000, own: 100, window: 200_000 });
  assert.deepEqual([limits.rate, limits.whole], [70, 140_000]);
  limits.onSqueeze({ rate: 90, delivered: 130_000, own: 100, window: 200_000 });
  assert.deepEqual([limits.rate, limits.whole], [90, 130_000], "what was delivered may go on");
  limits.undo();
  assert.deepEqual([limits.rate, limits.whole], [90, 140_000], "nothing was lost the last time");
  limits.onProbe();
  assert.deepEqual([limits.rate, limits.whole], [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
});

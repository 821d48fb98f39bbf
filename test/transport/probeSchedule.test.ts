import assert from "node:assert/strict";
import { test } from "node:test";
import { ProbeSchedule } from "#transport/probeSchedule.js";

/** 340 packets fill 100 Mbit/s and 40 ms. RFC 9438: K = cbrt(340 * 0.3 / 0.4) = 6.34 s. */
const PACKETS = 340;
const K_MS = 6340;

test("after a probe that overflowed nothing the next comes within 2 to 3 s, or 62 rounds", () => {
  const schedule = new ProbeSchedule();
  schedule.onStartup(false);
  for (let i = 0; i < 5; i++) schedule.onProbed(false);
  schedule.restart(0, PACKETS, 0);
  assert.deepEqual([schedule.due(2000), schedule.due(2001)], [false, true]);
  schedule.restart(0, PACKETS, 999);
  assert.deepEqual([schedule.due(2999), schedule.due(3000)], [false, true]);
  assert.deepEqual([schedule.enough(62, PACKETS), schedule.enough(63, PACKETS)], [false, true]);
  assert.deepEqual([schedule.enough(20, 20), schedule.enough(21, 20)], [false, true]);
});

test("a startup that lost nothing is doubted after 4 rounds, then after 8, 16, 32", () => {
  const schedule = new ProbeSchedule();
  schedule.onStartup(false);
  for (const rounds of [4, 8, 16, 32]) {
    assert.deepEqual([schedule.enough(rounds, PACKETS), schedule.enough(rounds + 1, PACKETS)], [false, true]);
    schedule.onProbed(false);
  }
});

test("who overflowed the queue waits until a CUBIC flow as large as itself is back, by time or on a short path by rounds", () => {
  for (const overflow of [
    (schedule: ProbeSchedule) => schedule.onStartup(true),
    (schedule: ProbeSchedule) => schedule.onProbed(true),
  ]) {
    const schedule = new ProbeSchedule();
    overflow(schedule);
    schedule.restart(0, PACKETS, 0);
    assert.deepEqual([schedule.due(K_MS - 5), schedule.due(K_MS + 5)], [false, true]);
    schedule.restart(0, PACKETS, 999);
    assert.deepEqual([schedule.due(1.49 * K_MS), schedule.due(1.5 * K_MS)], [false, true]);
    // RFC 9438 §4.3: 0.53 packets a round, until the 0.3 of them that a loss took are back.
    const rounds = Math.floor((0.3 / 0.53) * PACKETS);
    assert.deepEqual([schedule.enough(rounds, PACKETS), schedule.enough(rounds + 1, PACKETS)], [false, true]);
    assert.equal(schedule.enough(12, 20), true, "20 packets are back sooner");
  }
});

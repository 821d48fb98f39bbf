import assert from "node:assert/strict";
import { test } from "node:test";
import type { AckReport } from "#transport/congestion.js";
import { JITTER_MS, PathModel } from "#transport/pathModel.js";
import { ProbeRtt } from "#transport/probeRtt.js";

test("a probe of the round trip lasts 200 ms with little in flight, and until something sent meanwhile is acknowledged", () => {
  const probe = new ProbeRtt(0);
  assert.equal(probe.onAck(0, false, 10), undefined, "too much in flight");
  assert.equal(probe.onAck(100, true, 40), undefined);
  assert.equal(probe.onAck(299, true, 30), undefined);
  assert.deepEqual(probe.onAck(300, true, 50), { shortestMs: 30, meanMs: 40 });
  const slow = new ProbeRtt(0);
  slow.onAck(0, true, 350);
  assert.equal(slow.onAck(340, true, 341), undefined, "it left before");
  assert.deepEqual(slow.onAck(360, true, 360), { shortestMs: 341, meanMs: 360 });
});

const silent: AckReport = {
  ...{ now: 0, acked: [], ackedBytes: 0, lostBytes: 0, inFlightBefore: 0, inFlight: 0 },
  ...{ rttMs: undefined, delivered: 0, rate: undefined },
};

test("what a path holds back of itself is what the mean exceeds the shortest round trip by, beyond a radio's jitter", () => {
  const model = new PathModel();
  model.onProbedRtt({ shortestMs: 20, meanMs: 20 + JITTER_MS }, 0);
  assert.equal(model.heldBackMs, 0);
  model.onProbedRtt({ shortestMs: 20, meanMs: 80 }, 0);
  assert.equal(model.heldBackMs, 60 - JITTER_MS);
  assert.equal(model.minRttMs, 20);
});

test("a path is believed to hold back for two windows of the shortest round trip: then the phone is awake", () => {
  const model = new PathModel();
  model.onProbedRtt({ shortestMs: 20, meanMs: 80 }, 0);
  model.onAck({ ...silent, now: 10_000 });
  assert.equal(model.heldBackMs, 60 - JITTER_MS);
  model.onAck({ ...silent, now: 10_001 });
  assert.equal(model.heldBackMs, 0);
});

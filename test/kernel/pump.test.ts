import assert from "node:assert/strict";
import { test } from "node:test";
import type { Machine } from "#kernel/ports.js";
import { Pump } from "#kernel/pump.js";
import { VirtualClock } from "../simulation/virtualClock.js";

const PEER = { host: "192.0.2.1", port: 1 };
const X = Uint8Array.of(0x78);

/** Answers every datagram with one; what happens is written to `log`. */
function echo(answersWait: boolean): { clock: VirtualClock; pump: Pump; log: string[]; heard: { act: () => void } } {
  const clock = new VirtualClock();
  const log: string[] = [];
  const heard = { act: (): void => {} };
  let due = 0;
  const machine: Machine = {
    answersWait,
    receive: () => void due++,
    tick: () => {},
    deadline: undefined,
    nextDatagram: () => (due > 0 && due-- ? { bytes: X, to: PEER } : undefined),
  };
  const pump = new Pump(machine, { send: () => void log.push("sent"), congested: false }, clock, () => {
    log.push("told");
    heard.act();
  });
  return { clock, pump, log, heard };
}

test("answers that may wait leave after the application has heard, others before", () => {
  for (const [waits, order] of [
    [true, ["told", "sent", "told"]],
    [false, ["sent", "told"]],
  ] as const) {
    const { clock, pump, log } = echo(waits);
    pump.receive(X, PEER);
    clock.runUntil(() => false, 1);
    assert.deepEqual(log, order);
  }
});

test("who stops when told, at once or a moment later, has still answered", () => {
  for (const later of [false, true]) {
    const { clock, pump, log, heard } = echo(true);
    heard.act = () => {
      if (later) clock.schedule(0, () => pump.stop());
      else pump.stop();
    };
    pump.receive(X, PEER);
    clock.runUntil(() => false, 1);
    assert.deepEqual(log.slice(0, 2), ["told", "sent"]);
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeMessage, encodeMessage, TYPE } from "#pairing/messages.js";
import type { WindowOptions } from "#pairing/responderEvents.js";
import { codeOf, PairingWorld, PC, PHONE } from "../support/pairing.js";
import { StagedPairing } from "../support/pairingStages.js";

// PROTOCOL.md §7: ten failures in a row, and what a person who tries again is told.

const CODE = { kind: "code" } as const;

function worldAfter(failures: number): PairingWorld {
  return new PairingWorld({ seed: 1, windowOpen: false, attempts: { failures, windows: 4 }, method: CODE });
}

function open(world: PairingWorld, options: WindowOptions): void {
  world.responder.openWindow(options, world.clock.now());
  world.pcPump.turn();
}

test("nine failures in a row: letters are shown; ten: only to a person who insists, and nothing was opened", () => {
  const nine = worldAfter(9);
  open(nine, { method: CODE });
  assert.match(nine.letters ?? "", /^[A-Z]{5}$/);
  for (const failures of [10, 11, 4000]) {
    const ten = worldAfter(failures);
    assert.throws(() => open(ten, { method: CODE }), { code: "INSIST_NEEDED" });
    assert.deepEqual([ten.responder.isOpen, ten.letters, ten.persisted], [false, undefined, []]);
    open(ten, { method: CODE, insist: true });
    assert.equal(ten.responder.isOpen, true);
    assert.notEqual(ten.letters, undefined);
  }
});

test("a window that is open stays so when another is refused", () => {
  const world = worldAfter(10);
  open(world, {});
  assert.throws(() => open(world, { method: CODE }), { code: "INSIST_NEEDED" });
  assert.equal(world.responder.isOpen, true);
});

test("the other ways only wait after ten failures", () => {
  for (const kind of ["compare", "link", "secret"] as const) {
    const world = worldAfter(10);
    open(world, { method: { kind, addresses: [PHONE], secret: new Uint8Array(32).fill(7) } });
    assert.equal(world.responder.isOpen, true, kind);
  }
});

test("a window that nobody insisted on closes at the tenth failure in a row; the count ends with a success", () => {
  const world = new PairingWorld({
    ...{ seed: 2, windowOpen: false, attempts: { failures: 8, windows: 4 }, method: CODE },
    types: (letters) => (letters?.startsWith("B") ? "CCCCC" : "BBBBB"),
  });
  open(world, { method: CODE, attempts: 50 });
  for (const [tries, isOpen] of [
    [9, true],
    [10, false],
  ] as const) {
    const phone = world.start({ ...PHONE, port: 100 + tries });
    world.clock.runUntil(() => phone.outcome !== undefined, 100_000);
    world.clock.runUntil(() => false, 2000);
    assert.equal(codeOf(phone.outcome), "WRONG_CODE");
    assert.deepEqual([world.persisted.at(-1)?.failures, world.responder.isOpen], [tries, isOpen]);
  }
  assert.equal(world.pcEvents.filter(({ type }) => type === "windowClosed").length, 1);
  assert.throws(() => open(world, { method: CODE }), { code: "INSIST_NEEDED" });

  const right = worldAfter(10);
  open(right, { method: CODE, insist: true });
  assert.equal(codeOf(right.run().phone), "done");
  assert.equal(right.persisted.at(-1)?.failures, 0);
  open(right, { method: CODE });
});

test("a person whose try has to wait is told once, and how long; without failures nobody waits", () => {
  const told = (failures: number): [number[], string] => {
    const world = new PairingWorld({ seed: 3, attempts: { failures, windows: 4 } });
    const { phone } = world.run();
    const seconds = world.phone?.events.flatMap((event) => (event.type === "delayed" ? [event.seconds] : []));
    return [seconds ?? [], codeOf(phone)];
  };
  assert.deepEqual(told(0), [[], "done"]);
  assert.deepEqual(told(1), [[2], "done"]);
  assert.deepEqual(told(6), [[60], "done"]);
  assert.deepEqual(told(40), [[60], "done"]);
});

test("a forged WAIT makes no person read of more than a minute", () => {
  const pairing = StagedPairing.at(2, { seed: 4 });
  assert.equal(pairing.initiator.stateName, "started");
  const pid = decodeMessage(pairing.sent[0]?.bytes ?? new Uint8Array())?.pid ?? new Uint8Array();
  const wait = { type: TYPE.WAIT, pid, seq: 1, user: 0, secondsLeft: 0xffff };
  pairing.initiator.receive(encodeMessage(wait), PC, pairing.now);
  assert.deepEqual(pairing.initiator.nextEvent(), { type: "delayed", seconds: 60 });
});

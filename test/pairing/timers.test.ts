import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeCbor } from "#kernel/cbor.js";
import { decodeMessage, encodeMessage, type Message, pollPadding, TYPE } from "#pairing/messages.js";
import { codeOf, PairingWorld, PC, PHONE } from "../support/pairing.js";
import { StagedPairing } from "../support/pairingStages.js";

// PROTOCOL.md §2, §5 and §7: each limit just inside and just outside. Everything begins at 1000.

/** After so many steps, with `before` done, one machine is looked at when `ms` have passed, and a millisecond earlier. */
function lasts(
  ms: number,
  at: number,
  look: (pairing: StagedPairing) => unknown,
  [inside, outside]: readonly [unknown, unknown],
  before: (pairing: StagedPairing, until: number) => void = () => {},
): void {
  for (const [wait, expected] of [
    [ms - 1, inside],
    [ms, outside],
  ] as const) {
    const pairing = StagedPairing.at(at, { seed: 21 });
    before(pairing, wait);
    pairing.now = 1000 + wait;
    pairing.initiator.tick(pairing.now);
    pairing.responder.tick(pairing.now);
    pairing.drain();
    assert.equal(look(pairing), expected, `${wait} ms after step ${at}`);
  }
}

const initiatorState = ({ initiator }: StagedPairing): string => initiator.stateName;
const responderState = ({ responder, initiator }: StagedPairing): string | undefined => responder.stateOf(initiator.id);
const pidOf = ({ sent }: StagedPairing): Uint8Array =>
  decodeMessage(sent[0]?.bytes ?? new Uint8Array())?.pid ?? new Uint8Array();
const every = (step: number, until: number, act: (now: number) => void): void => {
  for (let at = 0; at <= until; at += step) act(1000 + at);
};

test("initiator: ten seconds without an answer, two minutes in all", () => {
  lasts(10_000, 0, initiatorState, ["hello", "over"]);
  lasts(10_000, 2, initiatorState, ["started", "over"]);
  lasts(120_000, 2, initiatorState, ["started", "over"], (pairing, until) => {
    const wait = encodeMessage({ type: TYPE.WAIT, pid: pidOf(pairing), seq: 1, user: 0, secondsLeft: 5 });
    every(5000, until, (now) => pairing.initiator.receive(wait, PC, now));
  });
});

test("responder: twenty seconds without progress, a minute for its person, a minute for repeats", () => {
  lasts(20_000, 3, responderState, ["offered", undefined]);
  lasts(20_000, 6, responderState, ["asking", "over"]);
  lasts(60_000, 6, responderState, ["asking", "over"], (pairing, until) => {
    const poll = encodeMessage({ type: TYPE.POLL, pid: pidOf(pairing), seq: 3, user: 0, padding: pollPadding() });
    every(5000, until, (now) => pairing.responder.receive(poll, PHONE, now));
  });
  lasts(60_000, 14, responderState, ["over", undefined]);
});

test("an ABORT counts after a second, BUSY after two and a half, at the responder after one and a half", () => {
  const abort = (pairing: StagedPairing, seq: number, reason: number): Uint8Array =>
    encodeMessage({ type: TYPE.ABORT, pid: pidOf(pairing), seq, reason, retryAfter: 0 });
  lasts(1000, 7, initiatorState, ["comparing", "over"], (p) => p.initiator.receive(abort(p, 3, 0x0c), PC, 1000));
  lasts(2500, 2, initiatorState, ["started", "over"], (p) => p.initiator.receive(abort(p, 1, 0x10), PC, 1000));
  lasts(1500, 6, responderState, ["asking", "over"], (p) => p.responder.receive(abort(p, 3, 0x08), PHONE, 1000));
});

test("a cookie lives for one to two minutes", () => {
  const pairing = StagedPairing.at(2, { seed: 22 });
  const start = pairing.sent.at(-1)?.bytes ?? new Uint8Array();
  const answered = (responderOf: StagedPairing, wait: number): boolean => {
    responderOf.responder.receive(start, PHONE, 1000 + wait);
    return responderOf.responder.nextDatagram() !== undefined;
  };
  assert.equal(answered(StagedPairing.at(2, { seed: 22 }), 119_999), true);
  // Its key was the current one for a minute, and the last one for another.
  const later = StagedPairing.at(2, { seed: 22 });
  const hello = later.sent[0]?.bytes ?? new Uint8Array();
  later.responder.receive(hello, { ...PHONE, port: 1 }, 61_000);
  later.drain();
  assert.equal(answered(later, 120_000), false);
});

test("for a minute after too many failures a client is told why; then there is silence", () => {
  for (const [wait, code] of [
    [59_000, "TOO_MANY_TRIES"],
    [61_000, "PAIRING_NOT_ANSWERED"],
  ] as const) {
    const world = new PairingWorld({ seed: 23, pcSays: () => false });
    for (let i = 0; i < 3; i++) {
      const phone = world.start({ ...PHONE, port: 100 + i });
      world.clock.runUntil(() => !world.responder.isOpen || phone.outcome !== undefined, 60_000);
    }
    assert.equal(world.responder.isOpen, false);
    world.clock.runUntil(() => false, wait);
    const late = world.start({ ...PHONE, port: 200 });
    world.clock.runUntil(() => late.outcome !== undefined, 60_000);
    assert.equal(codeOf(late.outcome), code);
  }
});

test("sizes: START, features, keys and a whole datagram", () => {
  const start = (fields: object): Message | undefined => {
    const whole = {
      ...{
        type: TYPE.START,
        pid: new Uint8Array(8),
        seq: 1,
        cookie: new Uint8Array(16),
        features: new Uint8Array(200),
      },
      ...{ publicKey: new Uint8Array(65), hint: new Uint8Array(0), padding: new Uint8Array(58) },
    };
    return decodeMessage(encodeMessage({ ...whole, ...fields } as Message));
  };
  assert.ok(start({}));
  assert.equal(start({ padding: new Uint8Array(57) }), undefined, "359 bytes");
  assert.ok(start({ features: new Uint8Array(256) }));
  assert.equal(start({ features: new Uint8Array(257) }), undefined);
  assert.equal(start({ publicKey: new Uint8Array(66), padding: new Uint8Array(58) }), undefined);
  for (const hint of [1, 7, 9]) assert.equal(start({ hint: new Uint8Array(hint) }), undefined);
  assert.equal(start({ padding: new Uint8Array(58).fill(1) }), undefined, "padding that is not zero");
  const long = encodeCbor([1, TYPE.NONCE, new Uint8Array(8), 2, new Uint8Array(1200)]);
  assert.throws(() => decodeMessage(long), { code: "MALFORMED" });
});

test("a window has a time and at least one attempt", () => {
  const { responder } = new StagedPairing({ seed: 24 });
  for (const options of [{ seconds: 0 }, { seconds: Number.NaN }, { attempts: 0 }, { seconds: -1 }])
    assert.throws(() => responder.openWindow(options, 0), RangeError);
  responder.openWindow({ seconds: 1, attempts: 1 }, 0);
  assert.equal(responder.isOpen, true);
});

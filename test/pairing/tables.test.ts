import assert from "node:assert/strict";
import { test } from "node:test";
import type { InitiatorState } from "#pairing/initiatorStates.js";
import type { MethodKind } from "#pairing/invitation.js";
import { encodeMessage, type Message, TYPE, TYPE_NAMES, type TypeName } from "#pairing/messages.js";
import type { ResponderState } from "#pairing/responderStates.js";
import { PC, PHONE } from "../support/pairing.js";
import { STEPS, StagedPairing } from "../support/pairingStages.js";

/** PROTOCOL.md §3: what each state takes. Everything else is dropped and counted. */
const INITIATOR: Record<InitiatorState["name"], readonly TypeName[]> = {
  hello: ["RETRY"],
  started: ["OFFER", "WAIT", "ABORT"],
  nonce: ["REVEAL", "ABORT"],
  comparing: ["WAIT", "ABORT"],
  typing: ["WAIT", "ABORT"],
  committing: ["COMMITTED", "ABORT"],
  opening: ["REVEAL", "ABORT"],
  exchanging: ["REVEAL", "ABORT"],
  check: ["CHECKED", "WAIT", "ABORT"],
  ident: ["IDENTIFIED", "ABORT"],
  storing: [],
  over: [],
};
const RESPONDER: Record<ResponderState["name"], readonly TypeName[]> = {
  offered: ["NONCE", "ABORT"],
  waiting: ["COMMIT", "POLL", "ABORT"],
  committed: ["NONCE", "ABORT"],
  opened: ["COMMIT", "ABORT"],
  linked: ["NONCE", "ABORT"],
  exchanged: ["CHECK", "ABORT"],
  counting: ["ABORT"],
  asking: ["CHECK", "POLL", "ABORT"],
  checked: ["ABORT"],
  ident: ["IDENT", "ABORT"],
  storing: [],
  over: [],
};

const METHODS: readonly MethodKind[] = ["compare", "code", "link", "secret"];

/** The first number of steps after which one of the machines is in each of its states. */
function stages(side: "initiator" | "responder"): Map<string, { method: MethodKind; at: number }> {
  const found = new Map<string, { method: MethodKind; at: number }>();
  for (const method of METHODS) {
    const pairing = new StagedPairing({ seed: 11, method });
    for (let at = 0; at <= STEPS[method].length; at++) {
      const { initiator, responder } = pairing;
      const name = side === "initiator" ? initiator.stateName : responder.stateOf(initiator.id);
      if (name !== undefined && !found.has(name)) found.set(name, { method, at });
      const next = STEPS[method][at];
      if (next) pairing.step(next);
    }
  }
  return found;
}

/** A well-formed message of this type with contents from nowhere. */
function sample(name: TypeName, pid: Uint8Array, seq: number): Uint8Array {
  const block = new Uint8Array(16).fill(1);
  const fields = {
    ...{ bodyHash: new Uint8Array(32), cookie: block, features: new Uint8Array(1), publicKey: new Uint8Array(65) },
    ...{ hint: new Uint8Array(0), commitment: block, nonce: block, check: block, sealed: new Uint8Array(70) },
    ...{ user: 0, secondsLeft: 5, reason: 8, retryAfter: 0 },
    padding: new Uint8Array(name === "START" ? 300 : name === "POLL" ? 8 : 40),
  };
  return encodeMessage({ type: TYPE[name], pid, seq, ...fields } as Message);
}

function pidOf(pairing: StagedPairing): Uint8Array {
  return pairing.sent[0]?.bytes.slice(4, 12) ?? new Uint8Array(8);
}

test("initiator: every state meets every message; only those of the table are not dropped", () => {
  const found = stages("initiator");
  assert.deepEqual([...found.keys()].sort(), Object.keys(INITIATOR).sort());
  for (const [state, { method, at }] of found)
    for (const name of TYPE_NAMES) {
      const pairing = StagedPairing.at(at, { seed: 11, method });
      const { initiator } = pairing;
      const message = sample(name, pidOf(pairing), pairing.asked);
      const before = initiator.dropped;
      initiator.receive(message, PC, pairing.now);
      const taken = initiator.dropped === before;
      assert.equal(taken, INITIATOR[state as InitiatorState["name"]].includes(name), `${state} × ${name}`);
      // Another step, another attempt, another sender: never.
      for (const [bytes, from] of [
        [sample(name, pidOf(pairing), pairing.asked + 1), PC],
        [sample(name, new Uint8Array(8), pairing.asked), PC],
        [message, PHONE],
      ] as const) {
        const other = StagedPairing.at(at, { seed: 11, method });
        other.initiator.receive(bytes, from, other.now);
        assert.equal(other.initiator.dropped, name === "ABORT" && from === PC && bytes[4] !== 0 ? (taken ? 0 : 1) : 1);
      }
    }
});

test("responder: every state meets every message; only those of the table are not dropped", () => {
  const found = stages("responder");
  assert.deepEqual([...found.keys()].sort(), Object.keys(RESPONDER).sort());
  for (const [state, { method, at }] of found)
    for (const name of TYPE_NAMES) {
      const pairing = StagedPairing.at(at, { seed: 11, method });
      const { responder } = pairing;
      const next = sample(name, pidOf(pairing), pairing.arrived + 1);
      const dropped = (bytes: Uint8Array, from = PHONE): boolean => {
        const before = responder.drops.unexpected;
        responder.receive(bytes, from, pairing.now);
        return responder.drops.unexpected > before;
      };
      const label = `${state} × ${name}`;
      assert.equal(dropped(next, { ...PHONE, port: 1 }), true, `${label} from another address`);
      assert.equal(
        dropped(sample(name, pidOf(pairing), pairing.arrived + 2)),
        name !== "ABORT" || !RESPONDER[state as "over"].includes(name),
        `${label}, a step too far`,
      );
      const again = StagedPairing.at(at, { seed: 11, method });
      const before = again.responder.drops.unexpected;
      again.responder.receive(next, PHONE, again.now);
      const taken = again.responder.drops.unexpected === before;
      assert.equal(taken, RESPONDER[state as ResponderState["name"]].includes(name), label);
    }
});

test("responder without an attempt: HELLO and START while the window is open, nothing while it is closed", () => {
  for (const name of TYPE_NAMES) {
    const { responder } = new StagedPairing({ seed: 12 });
    const total = (): number => Object.values(responder.drops).reduce((sum, each) => sum + each, 0);
    const message = sample(name, new Uint8Array(8).fill(9), name === "START" ? 1 : 0);
    responder.receive(message, PHONE, 1000);
    assert.equal(total(), name === "HELLO" ? 0 : 1, name);
    assert.equal(responder.drops.cookie, name === "START" ? 1 : 0);
    while (responder.nextDatagram()) {}
    responder.closeWindow(1000);
    responder.receive(message, PHONE, 1000);
    assert.equal(responder.nextDatagram(), undefined, `${name} while closed`);
    assert.equal(responder.drops.closed, 1);
  }
});

test("a repeated request gets the same answer; other bytes in its place end the attempt", () => {
  for (const method of METHODS) {
    const whole = new StagedPairing({ seed: 13, method });
    for (const step of STEPS[method]) {
      whole.step(step);
      if (!step.endsWith("arrives")) continue;
      const [last, answer] = [whole.sent.at(-2), whole.sent.at(-1)];
      if (last?.by !== "initiator" || answer?.by !== "responder" || step === "HELLO arrives") continue;
      whole.responder.receive(last.bytes, PHONE, whole.now);
      assert.deepEqual(whole.responder.nextDatagram()?.bytes, answer.bytes, step);
    }
    assert.ok(whole.bonds.initiator && whole.bonds.responder);
  }
  const { responder, sent, now } = StagedPairing.at(5, { seed: 13, method: "link" });
  const forged = sent.findLast(({ by }) => by === "initiator")?.bytes.slice() ?? new Uint8Array();
  forged[20] = (forged[20] ?? 0) ^ 1;
  responder.receive(forged, PHONE, now);
  assert.equal(responder.nextDatagram()?.bytes[2], TYPE.ABORT);
});

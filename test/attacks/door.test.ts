import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeMessage, type Message, TYPE } from "#pairing/messages.js";
import { REASON } from "#pairing/reasons.js";
import { advertiserOnBench } from "../discovery/bench.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { PC, PHONE } from "../support/pairing.js";
import { EVE, type Seen } from "./attacker.js";
import { floodOfHellos, honestUnderFire, slotHolder } from "./floods.js";
import { SEQ } from "./impostors.js";
import { endOf, Stage } from "./stage.js";

/** The wire of one good pairing, to be thrown at others. */
function recorded(seed: number): Seen[] {
  const stage = new Stage({ seed });
  stage.world.run();
  assert.equal(stage.bonds, 2);
  return stage.wire.seen;
}

/** Runs a pairing until the PC has seen a request of this type, and no further. */
function stoppedAt(type: number, seed: number): Stage {
  const stage = new Stage({ seed, pcSays: () => undefined });
  stage.wire.intercept(({ bytes, from }) => (from.port === PC.port && bytes[2] === type + 1 ? "drop" : undefined));
  stage.world.start();
  stage.wait(1500);
  return stage;
}

test("row 25: every message in every state of both sides, its own attempt's number on it, makes no bond", () => {
  const good = recorded(1);
  for (const until of [TYPE.HELLO, TYPE.START, TYPE.NONCE, TYPE.CHECK, TYPE.POLL]) {
    const stage = stoppedAt(until, 2);
    const pid = stage.wire.messages(TYPE.HELLO)[0]?.pid ?? new Uint8Array(8);
    for (const seq of [0, 1, 2, 3, 4, 5])
      for (const { bytes } of good) {
        // The same shape under this attempt's number: array head, version, type, 0x48, pid, seq.
        const forged = bytes.slice();
        forged.set(pid, 4);
        forged[12] = seq;
        stage.wire.inject(forged, PHONE, PC);
        stage.wire.inject(forged, PC, PHONE);
      }
    stage.wait(5000);
    assert.equal(stage.bonds, 0, `after type ${until}`);
  }
});

test("row 25: IDENT before the checks, and NONCE before START, are dropped in silence", () => {
  const stage = new Stage({ seed: 3, pcSays: () => undefined });
  const client = stage.asClient();
  client.onOffer = () => undefined;
  client.hello();
  stage.wait(100);
  const answers = stage.wire.seen.length;
  const sealed = new Uint8Array(70);
  const send = (message: Message): void => stage.wire.inject(encodeMessage(message), EVE, PC);
  send({ type: TYPE.IDENT, pid: client.pid, seq: SEQ.ident, sealed });
  send({ type: TYPE.CHECK, pid: client.pid, seq: SEQ.check, check: new Uint8Array(16) });
  send({ type: TYPE.NONCE, pid: new Uint8Array(8), seq: SEQ.nonce, nonce: new Uint8Array(16) });
  stage.wait(2000);
  assert.equal(stage.wire.seen.length, answers);
  assert.equal(stage.bonds, 0);
});

test("row 26: 10^5 spoofed HELLOs: no curve operation, nothing remembered, never a byte more out than in", () => {
  const result = floodOfHellos(100_000);
  assert.equal(result.curveOperations, 0);
  assert.equal(result.randomBytes, 0, "state or keys were made");
  assert.ok(result.bytesOut <= result.bytesIn, `${result.bytesOut} bytes out, ${result.bytesIn} in`);
  assert.equal(result.answers, result.requests, "each HELLO is answered by one small RETRY");
});

test("row 27: an honest client pairs while 1,000 hostile packets a second arrive", () => {
  for (let seed = 1; seed <= 3; seed++) {
    const { ended, after } = honestUnderFire(seed, 1000);
    assert.equal(ended, "done", `seed ${seed}`);
    assert.ok(after < 15_000, `seed ${seed}: took ${after} ms`);
  }
});

test("row 27: who holds the slot is gone in twenty seconds or at the person's no; then the honest client pairs", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { ended, after } = slotHolder(seed);
    assert.equal(ended, "done", `seed ${seed}`);
    assert.ok(after <= 60_000, `seed ${seed}: took ${after} ms`);
  }
});

test("row 28: 10,000 ABORTs from somebody who does not see the wire have no effect", () => {
  const random = new SeededRandom(5);
  const stage = new Stage({ seed: 5 });
  const phone = stage.world.start();
  stage.waitFor(() => phone.digits !== undefined);
  for (let i = 0; i < 5000; i++) {
    const abort = { type: TYPE.ABORT, pid: random.bytes(8), seq: i % 6, reason: REASON.UNSPECIFIED, retryAfter: 0 };
    stage.wire.inject(encodeMessage(abort), PC, PHONE);
    stage.wire.inject(encodeMessage(abort), PHONE, PC);
  }
  stage.waitFor(() => phone.outcome !== undefined);
  assert.equal(endOf(phone), "done");
  assert.equal(stage.bonds, 2);
});

test("row 30: a replayed corpus meets silence: nobody can find out who is here by watching who reacts", () => {
  const stage = new Stage({ seed: 6, windowOpen: false });
  let sent = 0;
  for (let seed = 100; sent < 1000; seed++)
    for (const { bytes, to } of recorded(seed))
      for (let port = 0; port < 5 && to.port === PC.port; port++, sent++)
        stage.wire.inject(bytes, { ...PHONE, port: PHONE.port + port }, PC);
  stage.wait(70_000);
  assert.equal(stage.wire.seen.length, 0);
  const { drops } = stage.world.responder;
  assert.equal(
    Object.values(drops).reduce((sum: number, each: number) => sum + each, 0),
    sent,
  );
});

test("row 30: no label that a device announces comes back, over a day and fifty starts; without a window no name shows", () => {
  const seen = new Map<string, number>();
  for (let start = 1; start <= 50; start++) {
    // Every fifth has its window open for a while.
    const bench = advertiserOnBench(start);
    const opens = start % 5 === 0;
    let last = "";
    for (let quarter = 0; quarter < (start === 1 ? 96 : 3); quarter++) {
      if (opens && quarter === 1) bench.machine.setPairing(true, bench.now);
      if (opens && quarter === 2) bench.machine.setPairing(false, bench.now);
      const text = JSON.stringify(bench.advance(15 * 60_000), (_, value: unknown) =>
        value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value,
      );
      if (!opens) assert.ok(!text.includes("Ana") && !text.includes("notes"), "the name shows");
      const { instance, host } = bench.machine.labels;
      if (instance !== last) for (const label of [instance, host]) seen.set(label, (seen.get(label) ?? 0) + 1);
      last = instance;
    }
  }
  assert.ok(seen.size > 2 * (96 + 49), `${seen.size}`);
  assert.ok(
    [...seen.values()].every((times) => times === 1),
    "a label was used again",
  );
});

test("row 7: a replayed START is not taken for a new attempt after its cookie's time", () => {
  const stage = new Stage({ seed: 7 });
  const client = stage.asClient();
  client.onOffer = () => undefined;
  client.hello();
  stage.wait(100);
  const start = stage.wire.seen.find(({ bytes }) => bytes[2] === TYPE.START);
  assert.ok(start);
  stage.wait(121_000);
  stage.world.responder.openWindow({}, stage.world.clock.now());
  const before = stage.wire.seen.length;
  stage.wire.replay(start);
  stage.wait(1000);
  assert.equal(stage.wire.seen.length, before);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "#kernel/varint.js";
import { Acknowledgements } from "#transport/acknowledgements.js";
import { FRAME, type FrameSink } from "#transport/frames.js";
import { parseFrames } from "#transport/parseFrames.js";
import { writeNumbers } from "#transport/writeFrames.js";

const RTT = 8;

/** Feeds numbers in order; returns those after which an ACK was due at once (and was sent). */
function immediate(acks: Acknowledgements, numbers: readonly number[], bytes = 1200): number[] {
  const due: number[] = [];
  for (const number of numbers) {
    acks.onReceived(number, bytes, true, 1000, RTT);
    if (acks.dueAt !== 1000) continue;
    due.push(number);
    acks.onSent();
  }
  return due;
}

function upTo(last: number, first = 0): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

test("every second packet at first, every tenth after a hundred, a quarter of a round trip at the latest", () => {
  const acks = new Acknowledgements(25);
  assert.deepEqual(
    immediate(acks, upTo(99)),
    upTo(99).filter((number) => number % 2 === 1),
  );
  assert.deepEqual(immediate(acks, upTo(129, 100)), [109, 119, 129]);
  acks.onReceived(130, 1200, true, 1000, RTT);
  assert.equal(acks.dueAt, 1000 + RTT / 4);
});

test("packets that do not ask for an ACK get none", () => {
  const acks = new Acknowledgements(25);
  for (let number = 0; number < 50; number++) acks.onReceived(number, 1200, false, 1000, RTT);
  assert.equal(acks.pending, false);
  assert.equal(acks.dueAt, undefined);
});

test("large packets are acknowledged by their bytes", () => {
  const acks = new Acknowledgements(25);
  immediate(acks, upTo(99));
  assert.deepEqual(immediate(acks, upTo(105, 100), 61_440), [101, 103, 105]);
});

test("a gap and what fills it are told at once", () => {
  const acks = new Acknowledgements(25);
  immediate(acks, upTo(99));
  assert.deepEqual(immediate(acks, [100, 102, 101, 103]), [102, 101]);
});

test("ACK_FREQUENCY: the newest wish counts, within bounds; a reordering threshold lets small gaps pass", () => {
  const acks = new Acknowledgements(25);
  immediate(acks, upTo(99));
  acks.onFrequency({ sequence: 2, threshold: 4, maxDelayMs: 3, reordering: 5 });
  acks.onFrequency({ sequence: 1, threshold: 1, maxDelayMs: 1, reordering: 1 });
  assert.deepEqual(immediate(acks, upTo(107, 100)), [103, 107]);
  // 108 is missing: nothing happens until the newest is five ahead of it.
  acks.onFrequency({ sequence: 3, threshold: 64, maxDelayMs: 3, reordering: 5 });
  assert.deepEqual(immediate(acks, [109, 110, 111, 112, 113, 114]), [113]);
  acks.onReceived(115, 1200, true, 1000, RTT);
  assert.equal(acks.dueAt, 1003);
  acks.onSent();
  acks.onFrequency({ sequence: 4, threshold: 1e9, maxDelayMs: 1e9, reordering: 0 });
  assert.equal(immediate(acks, upTo(400, 117)).length, Math.floor(284 / 64));
  acks.onSent();
  acks.onReceived(401, 1200, true, 1000, RTT);
  assert.equal(acks.dueAt, 1025, "never later than our own limit");
});

test("IMMEDIATE_ACK and ACK_FREQUENCY on the wire", () => {
  const heard: unknown[] = [];
  const sink = {
    onImmediateAck: () => heard.push("now"),
    onAckFrequency: (frequency: unknown) => heard.push(frequency),
  } as unknown as FrameSink;
  const out = new ByteWriter(new Uint8Array(64));
  writeNumbers(out, FRAME.ACK_FREQUENCY, 7, 16, 2500, 3);
  out.u8(FRAME.IMMEDIATE_ACK);
  assert.equal(parseFrames(out.written(), sink), true);
  assert.deepEqual(heard, [{ sequence: 7, threshold: 16, maxDelayMs: 2.5, reordering: 3 }, "now"]);
  assert.deepEqual([...out.written().subarray(0, 2)], [0x40, 0xaf]);
});

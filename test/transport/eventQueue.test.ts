import assert from "node:assert/strict";
import { test } from "node:test";
import { GIVEN_UP } from "#transport/closing.js";
import { type ConnectionEvent, EventQueue } from "#transport/connectionEvents.js";
import { Stream } from "#transport/stream.js";

const stream = new Stream(0, undefined, undefined, () => {});

function drain(events: EventQueue, settled: Stream[], over = false): readonly ConnectionEvent["type"][] {
  const types: ConnectionEvent["type"][] = [];
  const next = () => events.next({ takeSettled: () => settled.shift() }, over ? GIVEN_UP : undefined);
  for (let event = next(); event; event = next()) types.push(event.type);
  return types;
}

test("a stream that many packets came in is named once, and again when more comes", () => {
  const events = new EventQueue();
  for (let packet = 0; packet < 3; packet++) events.readable.add(stream);
  events.writable.add(stream);
  assert.deepEqual(drain(events, [stream]), ["readable", "writable", "settled"]);
  assert.deepEqual(drain(events, []), []);
  events.readable.add(stream);
  assert.deepEqual(drain(events, []), ["readable"]);
});

test("the end is told once, after everything else", () => {
  const events = new EventQueue();
  events.push({ type: "datagram" });
  events.readable.add(stream);
  assert.equal(events.ended, false);
  assert.deepEqual(drain(events, [], true), ["datagram", "readable", "closed"]);
  assert.equal(events.ended, true);
  assert.deepEqual(drain(events, [], true), []);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { SessionStreams } from "#transport/sessionStreams.js";
import { Stream } from "#transport/stream.js";

const streams = (): SessionStreams => new SessionStreams({ wake: () => {}, closeInfo: undefined, crowded: false });
const stream = (id: number): Stream => new Stream(id, undefined, undefined, () => {});

test("256 streams of the peer may wait to be taken; when one is taken, one more may come", () => {
  const session = streams();
  for (let id = 0; id < 257; id++) session.accept(stream(id));
  assert.equal(session.incoming.size, 256);
  assert.equal(session.incoming.shift()?.id, 0);
  session.accept(stream(257));
  session.accept(stream(258));
  const left = Array.from({ length: 256 }, () => session.incoming.shift()?.id);
  assert.deepEqual([left[0], left.at(-1), session.incoming.size], [1, 257, 0]);
});

test("a signal is listened to while its stream lives, and no longer", () => {
  const listening = new Set<unknown>();
  const signal = new AbortController().signal;
  signal.addEventListener = (_: string, listener: unknown) => void listening.add(listener);
  signal.removeEventListener = (_: string, listener: unknown) => void listening.delete(listener);
  const session = streams();
  const [settled, open] = [stream(0), stream(4)];
  session.opened(settled, signal);
  session.opened(open, signal);
  session.opened(stream(8), undefined);
  assert.equal(listening.size, 2);
  session.settle(settled);
  assert.equal(listening.size, 1);
  session.end();
  assert.equal(listening.size, 0);
});

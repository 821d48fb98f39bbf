import assert from "node:assert/strict";
import { test } from "node:test";
import { AsyncQueue } from "#kernel/asyncQueue.js";
import { Emitter } from "#kernel/emitter.js";
import { Gate } from "#kernel/gate.js";

test("a queue hands out in order, waits when empty, and ends after the last value", async () => {
  const queue = new AsyncQueue<number>();
  queue.push(1);
  queue.push(2);
  const taken: number[] = [];
  const reading = (async () => {
    for await (const value of queue) taken.push(value);
  })();
  queue.push(3);
  await Promise.resolve();
  queue.end();
  queue.push(4);
  await reading;
  assert.deepEqual(taken, [1, 2, 3]);
  assert.equal(await queue.take(), undefined);
});

test("several readers of one queue get each value once", async () => {
  const queue = new AsyncQueue<number>();
  const readers = [queue.take(), queue.take(), queue.take()];
  for (const value of [1, 2]) queue.push(value);
  queue.end();
  const values = await Promise.all(readers);
  assert.deepEqual(values.filter((value) => value !== undefined).sort(), [1, 2]);
});

test("waiting ends with the signal's reason", async () => {
  const gate = new Gate();
  const reason = new Error("enough");
  await assert.rejects(gate.wait(AbortSignal.abort(reason)), reason);
  const abort = new AbortController();
  const waiting = gate.wait(abort.signal);
  abort.abort(reason);
  await assert.rejects(waiting, reason);
  const open = gate.wait();
  gate.open();
  await open;
});

test("a listener that throws does not stop the others, and its error is not swallowed", async () => {
  const emitter = new Emitter<{ tick: readonly [number] }>();
  const heard: number[] = [];
  const bug = new Error("listener bug");
  emitter.on("tick", () => {
    throw bug;
  });
  emitter.once("tick", (value) => heard.push(value));
  emitter.on("tick", (value) => heard.push(10 * value));
  const uncaught = new Promise((resolve) => process.setUncaughtExceptionCaptureCallback(resolve));
  emitter.emit("tick", 1);
  emitter.off("tick", () => {});
  assert.deepEqual(heard, [1, 10]);
  assert.equal(await uncaught, bug);
  process.setUncaughtExceptionCaptureCallback(null);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { Deadlines } from "#transport/deadlines.js";
import { SeededRandom } from "../simulation/seededRandom.js";

test("the heap of deadlines agrees with a plain list, whatever happens to it", () => {
  const random = new SeededRandom(81);
  const heap = new Deadlines<number>();
  const plain = new Map<number, number>();
  for (let i = 0; i < 20_000; i++) {
    const item = random.integer(200);
    const at = random.integer(1000);
    if (random.chance(0.3)) {
      heap.delete(item);
      plain.delete(item);
    } else {
      heap.set(item, at);
      plain.set(item, at);
    }
    const earliest = plain.size > 0 ? Math.min(...plain.values()) : undefined;
    assert.equal(heap.earliest, earliest);
    assert.equal(heap.size, plain.size);
    if (earliest === undefined) continue;
    const due = heap.due(earliest);
    assert.equal(due !== undefined && plain.get(due), earliest);
    assert.equal(heap.due(earliest - 1), undefined);
  }
});

test("who no longer wants to be woken is not", () => {
  const heap = new Deadlines<string>();
  heap.set("a", 5);
  heap.set("b", 6);
  heap.set("a", undefined);
  assert.equal(heap.earliest, 6);
  heap.set("b", undefined);
  assert.equal(heap.earliest, undefined);
});

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { Day, HOUR } from "../support/day.js";
import { memory } from "../support/parked.js";

const HOURS = Number(process.env["HOURS"] ?? 24);
const DEVICES = 10;
/** What warms up in the first hours is no leak. */
const WARM = Math.min(3, HOURS / 3);
/** A tenth of what the plan allows: of each rekey 29 bytes may stay. */
const SLOPE = 100 * 1024;

/** Least squares: how much `values` rise from one to the next. */
function slope(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const [above, below] = values.reduce(
    ([a, b], value, i) => [a + (i - middle) * (value - mean), b + (i - middle) ** 2] as const,
    [0, 0] as readonly [number, number],
  );
  return above / below;
}

test("a day of ten sessions, three that sleep and roam, with fresh keys every 10 s: nothing grows", async () => {
  const day = new Day(1, DEVICES);
  const heap: number[] = [];
  const handles: number[] = [];
  for (let hour = 1; hour <= HOURS; hour++) {
    await day.pass(HOUR);
    if (hour > WARM) {
      heap.push(memory().heap);
      handles.push(process.getActiveResourcesInfo().length);
    }
    const { connections, halfOpen, bytes } = day.held;
    // Those that were asleep have left theirs to the idle timeout.
    assert.ok(connections <= 2 * DEVICES && connections >= DEVICES - 3, `hour ${hour}: ${connections} connections`);
    assert.ok(halfOpen <= 3 && bytes < 100_000, `hour ${hour}: ${JSON.stringify(day.held)}`);
  }
  const { sessions, rekeys, answers, brokenOff, moves, sleeps } = day.counts;
  const grown = slope(heap);
  console.log(
    `${HOURS} hours: ${sessions} sessions, ${rekeys} rekeys, ${answers} answers, ${brokenOff} broken off, ${moves} moves, ${sleeps} naps; heap ${(grown / 1024).toFixed(1)} KiB an hour, from ${heap[0]} to ${heap.at(-1)} bytes`,
  );
  assert.ok(grown < SLOPE, `the heap grows by ${grown} bytes an hour: ${heap}`);
  assert.ok(slope(handles) < 0.1, `handles: ${handles}`);
  const hours = HOURS * 3600;
  // A device that sleeps does so for half an hour of each.
  assert.ok(rekeys > 0.85 * DEVICES * (hours / 10), `${rekeys} rekeys`);
  assert.ok(answers > 0.85 * DEVICES * (hours / 30), `${answers} answers`);
  assert.ok(brokenOff < 0.02 * (rekeys + answers), `${brokenOff} broken off`);
  assert.ok(sleeps >= 2 * (HOURS - 1) && moves >= 20 * (HOURS - 1));
});

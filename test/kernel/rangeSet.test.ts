import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RangeSet } from "#kernel/rangeSet.js";

/** The slow, obvious twin. */
class PlainSet {
  readonly values = new Set<number>();

  add(start: number, end: number): boolean {
    const before = this.values.size;
    for (let i = start; i <= end; i++) this.values.add(i);
    return this.values.size > before;
  }

  remove(start: number, end: number): void {
    for (let i = start; i <= end; i++) this.values.delete(i);
  }

  runs(): { start: number; end: number }[] {
    const runs: { start: number; end: number }[] = [];
    for (const value of [...this.values].sort((a, b) => a - b)) {
      const last = runs.at(-1);
      if (last && last.end === value - 1) last.end = value;
      else runs.push({ start: value, end: value });
    }
    return runs;
  }
}

const step = fc.record({ add: fc.boolean(), start: fc.nat(60), length: fc.nat(12) });

test("random histories agree with a plain set", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const [fast, slow] = [new RangeSet(), new PlainSet()];
      for (const { add, start, length } of steps) {
        const end = start + length;
        if (add) assert.equal(fast.add(start, end), slow.add(start, end));
        else {
          fast.remove(start, end);
          slow.remove(start, end);
        }
        const runs = slow.runs();
        assert.deepEqual([...fast], runs);
        assert.deepEqual([...fast.descending()], runs.reverse());
        assert.equal(fast.size, runs.length);
        assert.equal(fast.min, runs.at(-1)?.start);
        assert.equal(fast.max, runs[0]?.end);
        for (let value = 0; value < 75; value++) {
          assert.equal(fast.has(value), slow.values.has(value));
          assert.equal(fast.endOfRunAt(value), runs.find((run) => run.start <= value && value <= run.end)?.end);
        }
        const holes = new RangeSet();
        for (const hole of fast.missing(start, end + 5)) holes.add(hole.start, hole.end);
        for (let value = 0; value < 85; value++)
          assert.equal(holes.has(value), value >= start && value <= end + 5 && !slow.values.has(value));
      }
    }),
  );
});

test("only the highest runs are kept", () => {
  const set = new RangeSet();
  for (const value of [1, 3, 5, 7]) set.add(value);
  set.keepHighest(2);
  assert.deepEqual(
    [...set],
    [
      { start: 5, end: 5 },
      { start: 7, end: 7 },
    ],
  );
  set.keepHighest(2);
  assert.equal(set.size, 2);
});

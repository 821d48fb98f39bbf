import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concat } from "#kernel/bytes.js";
import { TransportError } from "#transport/errors.js";
import { Reassembly } from "#transport/reassembly.js";

function readAll(reassembly: Reassembly): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let bytes = reassembly.take(1000); bytes; bytes = reassembly.take(1000)) parts.push(bytes);
  return concat(...parts);
}

test("pieces of any size in any order, twice and overlapping, give the bytes that came first", () => {
  const piece = fc.record({ offset: fc.nat(3000), length: fc.integer({ min: 1, max: 1500 }), value: fc.nat(255) });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const reassembly = new Reassembly();
      const expected: (number | undefined)[] = [];
      const got: Uint8Array[] = [];
      for (const { offset, length, value } of pieces) {
        reassembly.insert(offset, new Uint8Array(length).fill(value));
        for (let i = offset; i < offset + length; i++) expected[i] ??= value;
        if (value % 3 === 0) got.push(readAll(reassembly));
      }
      got.push(readAll(reassembly));
      let head = 0;
      while (expected[head] !== undefined) head++;
      assert.equal(reassembly.contiguous, head);
      assert.deepEqual([...concat(...got)], expected.slice(0, head));
    }),
  );
});

test("ten thousand packets may overtake one that is lost", () => {
  const reassembly = new Reassembly();
  for (let i = 1; i <= 10_000; i++) reassembly.insert(i * 1000, new Uint8Array(1000).fill(i));
  assert.equal(reassembly.available, 0);
  reassembly.insert(0, new Uint8Array(1000));
  assert.equal(reassembly.available, 10_001_000);
});

test("RFC 9000 §21.7: a thousand holes are borne, one more is not", () => {
  const reassembly = new Reassembly();
  for (let i = 1; i <= 1000; i++) reassembly.insert(2 * i, Uint8Array.of(1));
  assert.throws(() => reassembly.insert(2002, Uint8Array.of(1)), TransportError);
});

test("a million single bytes do not cost a million objects", () => {
  const reassembly = new Reassembly();
  const packet = new Uint8Array(1400);
  for (let i = 0; i < 1_000_000; i++) reassembly.insert(i, packet.subarray(i % 1400, (i % 1400) + 1));
  assert.equal(reassembly.available, 1_000_000);
  let pieces = 0;
  while (reassembly.take(1)) pieces++;
  assert.ok(pieces < 1000, `${pieces} pieces`);
});

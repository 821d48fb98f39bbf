import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromHex, toHex } from "#kernel/bytes.js";
import { WireError } from "#kernel/errors.js";
import { ByteReader, ByteWriter, varintLength } from "#kernel/varint.js";

const written = (value: number): string => {
  const out = new ByteWriter(new Uint8Array(8));
  out.varint(value);
  return toHex(out.written());
};

test("the examples of RFC 9000 §A.1 that fit a number", () => {
  for (const [hex, value] of [
    ["c2197c5eff14e88c", undefined],
    ["9d7f3e7d", 494_878_333],
    ["7bbd", 15_293],
    ["25", 37],
    ["4025", 37],
  ] as const) {
    if (value === undefined) assert.throws(() => new ByteReader(fromHex(hex)).varint(), WireError);
    else assert.equal(new ByteReader(fromHex(hex)).varint(), value);
  }
});

test("each length begins where the one before ends", () => {
  for (const [value, hex] of [
    [0, "00"],
    [63, "3f"],
    [64, "4040"],
    [16_383, "7fff"],
    [16_384, "80004000"],
    [2 ** 30 - 1, "bfffffff"],
    [2 ** 30, "c000000040000000"],
    [2 ** 53 - 1, "c01fffffffffffff"],
  ] as const) {
    assert.equal(written(value), hex);
    assert.equal(varintLength(value), hex.length / 2);
  }
  assert.throws(() => written(2 ** 53), RangeError);
  assert.throws(() => new ByteReader(fromHex("c020000000000000")).varint(), WireError);
});

test("every safe integer comes back", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      assert.equal(new ByteReader(fromHex(written(value))).varint(), value);
    }),
  );
});

test("a reader that runs out says so, a writer that runs over throws", () => {
  for (const hex of ["", "40", "800000", "c0000000000000"])
    assert.throws(() => new ByteReader(fromHex(hex)).varint(), WireError);
  assert.throws(() => new ByteReader(new Uint8Array(3)).take(4), WireError);
  assert.equal(new ByteReader(new Uint8Array(3)).take(3).length, 3);
  const out = new ByteWriter(new Uint8Array(4), 0, 3);
  out.u16(0x1234);
  assert.throws(() => out.u16(1), RangeError);
  out.u8(0x56);
  assert.equal(toHex(out.written()), "123456");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromHex, toHex } from "#kernel/bytes.js";
import { type CborValue, DATAGRAM_LIMITS, decodeCbor, encodeCbor } from "#kernel/cbor.js";
import { WireError } from "#kernel/errors.js";

const leaf = fc.oneof(
  fc.integer({ min: -(2 ** 53) + 1, max: 2 ** 53 - 1 }),
  fc.string({ unit: "grapheme", maxLength: 10 }),
  fc.boolean(),
  fc.constant(null),
  fc.uint8Array({ maxLength: 40 }),
);
const value: fc.Arbitrary<CborValue> = fc.letrec<{ item: CborValue }>((tie) => ({
  item: fc.oneof(
    { maxDepth: 2 },
    leaf,
    fc.array(tie("item"), { maxLength: 3 }),
    fc.array(fc.tuple(fc.nat(70_000), tie("item")), { maxLength: 3 }).map((entries) => new Map(entries)),
  ),
})).item;

test("what is encoded is decoded, and encoded again is the same bytes", () => {
  fc.assert(
    fc.property(value, (input) => {
      const bytes = encodeCbor(input);
      const output = decodeCbor(bytes, { bytes: 10_000, depth: 5, items: 1000 });
      assert.equal(toHex(encodeCbor(output)), toHex(bytes));
      if (!(input instanceof Map)) assert.deepEqual(output, input);
    }),
  );
});

test("published encodings (RFC 8949 appendix A)", () => {
  const table: [CborValue, string][] = [
    [0, "00"],
    [23, "17"],
    [24, "1818"],
    [1000, "1903e8"],
    [1_000_000, "1a000f4240"],
    [1_000_000_000_000, "1b000000e8d4a51000"],
    [-1, "20"],
    [-1000, "3903e7"],
    [Uint8Array.of(1, 2, 3, 4), "4401020304"],
    ["IETF", "6449455446"],
    ["\u6c34", "63e6b0b4"],
    [[1, [2, 3]], "8201820203"],
    [
      new Map([
        [3, 4],
        [1, 2],
      ]),
      "a201020304",
    ],
    [false, "f4"],
    [null, "f6"],
  ];
  for (const [input, hex] of table) {
    assert.equal(toHex(encodeCbor(input)), hex);
    assert.equal(toHex(encodeCbor(decodeCbor(fromHex(hex)))), hex);
  }
});

test("everything that is not deterministic CBOR of ours is refused", () => {
  const table: Record<string, string> = {
    "indefinite array": "9f01ff",
    "indefinite bytes": "5f4101ff",
    "number not in its shortest form": "1817",
    "two-byte form of a small number": "190017",
    "four-byte form": "1a0000ffff",
    "eight-byte form": "1b00000000ffffffff",
    "above 2^53-1": "1b0020000000000000",
    tag: "c000",
    bignum: "c249010000000000000000",
    "half float": "f93c00",
    double: "fb3ff0000000000000",
    undefined: "f7",
    "simple value": "e0",
    "one-byte simple value": "f8ff",
    "reserved length": "1c",
    "break alone": "ff",
    "keys out of order": "a202000100",
    "repeated key": "a201000100",
    "text key": "a1616100",
    "negative key": "a12000",
    "bad UTF-8": "62c328",
    "bytes after the end": "0000",
    "ends in a head": "19",
    "ends in a string": "43aabb",
    "length past the end": "5affffffff",
    "array past the end": "9affffffff",
    empty: "",
  };
  for (const [name, hex] of Object.entries(table)) assert.throws(() => decodeCbor(fromHex(hex)), WireError, name);
});

test("limits: just inside passes, just outside fails", () => {
  const nested = (depth: number): Uint8Array => Uint8Array.from([...Array(depth).fill(0x81), 0x00]);
  decodeCbor(nested(DATAGRAM_LIMITS.depth));
  assert.throws(() => decodeCbor(nested(DATAGRAM_LIMITS.depth + 1)), WireError);
  decodeCbor(encodeCbor(Array(DATAGRAM_LIMITS.items - 1).fill(0)));
  assert.throws(() => decodeCbor(encodeCbor(Array(DATAGRAM_LIMITS.items).fill(0))), WireError);
  decodeCbor(encodeCbor(new Uint8Array(DATAGRAM_LIMITS.bytes - 3)));
  assert.throws(() => decodeCbor(encodeCbor(new Uint8Array(DATAGRAM_LIMITS.bytes - 2))), WireError);
});

test("any bytes give a value or a WireError, quickly, even nested a thousand deep", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        decodeCbor(bytes);
      } catch (error) {
        assert.ok(error instanceof WireError);
      }
    }),
    { numRuns: 2000 },
  );
  assert.throws(() => decodeCbor(new Uint8Array(1000).fill(0x81)), WireError);
});

test("reading leaves the caller's array as it was, and the result has its own memory", () => {
  const bytes = encodeCbor([Uint8Array.of(1, 2, 3), "x"]);
  const before = Object.getOwnPropertyNames(bytes).length;
  const [inner] = decodeCbor(bytes) as readonly Uint8Array[];
  assert.equal(Object.getOwnPropertyNames(bytes).length, before);
  bytes.fill(0);
  assert.deepEqual(inner, Uint8Array.of(1, 2, 3));
});

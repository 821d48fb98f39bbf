import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  compareBytes,
  concat,
  equalConstantTime,
  fromBase64Url,
  fromHex,
  fromUtf8,
  isAllZero,
  toBase64Url,
  toHex,
  utf8,
} from "#kernel/bytes.js";

const bytes = fc.uint8Array({ maxLength: 64 });

test("hex and base64url agree with the platform's, both ways", () => {
  fc.assert(
    fc.property(bytes, (value) => {
      assert.equal(toHex(value), Buffer.from(value).toString("hex"));
      assert.equal(toBase64Url(value), Buffer.from(value).toString("base64url"));
      assert.deepEqual(fromHex(toHex(value)), value);
      assert.deepEqual(fromBase64Url(toBase64Url(value)), value);
    }),
  );
});

test("base64url takes only what it would itself write", () => {
  for (const text of ["A", "AB==", "AB", "A+", "A/", "AAAAA", "QQ\n", "AA AA", "é"])
    assert.equal(fromBase64Url(text), undefined, text);
  assert.deepEqual(fromBase64Url(""), new Uint8Array(0));
});

test("hex that is not hex is refused", () => {
  for (const text of ["a", "0g", "0x", " 0"]) assert.throws(() => fromHex(text), RangeError);
});

test("comparison: equal only when every byte is, ordered as numbers", () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      assert.equal(equalConstantTime(a, b), Buffer.compare(a, b) === 0);
      assert.equal(Math.sign(compareBytes(a, b)), Buffer.compare(a, b));
      assert.deepEqual(concat(a, b), new Uint8Array(Buffer.concat([a, b])));
    }),
  );
  assert.ok(isAllZero(new Uint8Array(3)));
  assert.ok(!isAllZero(Uint8Array.of(0, 1)));
});

test("UTF-8 is strict: overlong forms, surrogates and cut sequences are refused", () => {
  for (const bad of ["c080", "eda080", "f0808080", "ff", "c3", "f4908080"])
    assert.equal(fromUtf8(fromHex(bad)), undefined);
  assert.equal(fromUtf8(utf8("\ufeffgrüße 😀")), "\ufeffgrüße 😀");
});

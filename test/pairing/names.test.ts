import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeviceName, isPlainText, looksLike, toDeviceName } from "#pairing/deviceName.js";
import { featuresOf, ownFeatures } from "#pairing/features.js";

test("a name is one visible line of 1 to 64 bytes", () => {
  for (const name of ["a", "Ana's PC", "Ordinateur de Chloé", "アナのパソコン", "x".repeat(64), "é".repeat(32)])
    assert.equal(isDeviceName(name), true, name);
  const odd = {
    ...{ empty: "", blank: " ", tooLong: "x".repeat(65), tooLongInBytes: `${"é".repeat(32)}x` },
    ...{ newline: "a\nb", nul: "a\0b", escape: "a\u001b[2Jb", rightToLeft: "a\u202eb", isolate: "a\u2066b" },
    ...{ zeroWidth: "a\u200bb", joiner: "a\u200db", softHyphen: "a\u00adb", line: "a\u2028b", bom: "\ufeffa" },
    ...{
      privateUse: "a\ue000",
      surrogate: "a\ud800",
      notNfc: "e\u0301",
      filler: "\u3164",
      braille: "\u2800",
      tag: "a\u{e0041}",
    },
  };
  for (const [what, name] of Object.entries(odd)) assert.equal(isDeviceName(name), false, what);
  for (const name of Object.values(odd)) assert.equal(isDeviceName(toDeviceName(name, "PC")), true);
  assert.equal(isPlainText("", 0), true);
  assert.equal(isPlainText("ab", 1), false);
});

test("names that a person could take for each other are found", () => {
  for (const [a, b] of [
    ["Ana's PC", "ANAS-PC"],
    ["Ana's PC", "Аna's РС"],
    ["modem", "rnodem"],
    ["Pixel 9", "Pixe1 9"],
    ["Pixel 9", "PixeI 9"],
    ["Chloe", "Chloé"],
    ["OFFICE", "0FFICE"],
    ["fi", "ﬁ"],
    ["Ωmega x", "Ωmega χ"],
  ] as const)
    assert.equal(looksLike(a, b), true, `${a} ${b}`);
  for (const [a, b] of [
    ["Ana's PC", "Ben's PC"],
    ["Pixel 8", "Pixel 9"],
    ["PC", "PC2"],
  ] as const)
    assert.equal(looksLike(a, b), false, `${a} ${b}`);
});

test("what a device says about itself fits into what a bond can keep", () => {
  const random = (length: number): Uint8Array => new Uint8Array(length);
  const base = {
    staticPublic: new Uint8Array(32),
    irk: new Uint8Array(16),
    name: "PC",
    platform: "linux",
    appId: "notes",
  };
  const say = (change: object): Uint8Array => ownFeatures({ ...base, ...change }, random, { model: 1, io: 1 });
  assert.equal(featuresOf(say({}), false)?.name, "PC");
  for (const [fits, fails] of [
    [{ platform: "x".repeat(32) }, { platform: "x".repeat(33) }],
    [{ appId: "x".repeat(64) }, { appId: "x".repeat(65) }],
    [{ name: "x".repeat(64) }, { name: "x".repeat(65) }],
    [{ upgrades: 0xffff }, { upgrades: 0x10000 }],
    [{ platform: "" }, { platform: "a\u202eb" }],
  ] as const) {
    assert.ok(featuresOf(say(fits), false));
    assert.throws(() => say(fails), RangeError);
  }
});

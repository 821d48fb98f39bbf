import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { encode } from "uqr";
import { withAdvice } from "#cli/advice.js";
import { chooseDevice } from "#cli/deviceList.js";
import { warningText } from "#cli/devices.node.js";
import { EXIT, exitCodeOf, UsageError } from "#cli/exitCodes.js";
import { drawsUnicode, qrLines } from "#cli/qrText.js";
import { TwoScreens } from "#cli/twoScreens.js";
import { ago, bar, count, grouped, printable, size } from "#cli/words.js";
import { HandfastError } from "#kernel/errors.js";
import { PairingError } from "#pairing/reasons.js";
import { NotReachableError, PeerForgotUsError } from "#transport/dial.js";

test("numbers as people read them", () => {
  assert.equal(grouped("472915"), "472 915");
  assert.equal(grouped("000001"), "000 001");
  assert.deepEqual([0, 999, 1000, 999_500, 36_000_500].map(size), ["0 B", "999 B", "1.0 kB", "1.0 MB", "36.0 MB"]);
  assert.deepEqual([count(1, "file"), count(0, "file")], ["1 file", "0 files"]);
  assert.equal(bar(1, 2, 4), "[==  ] 50 %");
  assert.equal(bar(0, 0, 4), "[====] 100 %");
  assert.deepEqual(
    [ago(0), ago(60_000), ago(7_200_000), ago(172_800_000)],
    ["just now", "1 minute ago", "2 hours ago", "2 days ago"],
  );
});

test("warnings are said in words, with how often they were", () => {
  assert.equal(warningText({ identityChanged: 0, bondCopied: 0 }), "none");
  assert.equal(
    warningText({ identityChanged: 2, bondCopied: 1 }),
    "another device stood in the place of a known one (2 times); a pairing was used by somebody who holds a copy of it (1 time)",
  );
});

test("what a peer calls itself cannot move the cursor, break the line or turn the text around", () => {
  assert.equal(printable("a\u001b[2Jb\nc\u202ed"), "a?[2Jb?c?d");
  assert.equal(printable("Søren's PC 日本"), "Søren's PC 日本");
});

test("two screens keep their width whatever they say", () => {
  const screens = new TwoScreens("left", "right");
  const lines = [
    ...screens.top(),
    ...screens.row("short", "word ".repeat(30)),
    ...screens.row("x".repeat(100), ""),
    ...screens.bottom(),
  ];
  assert.equal(new Set(lines.map((line) => line.length)).size, 1);
});

test("exit codes", () => {
  const codes: readonly (readonly [unknown, number])[] = [
    [new UsageError("x"), EXIT.usage],
    [new NotReachableError(), EXIT.notFound],
    [new PeerForgotUsError(), EXIT.notPaired],
    [new PairingError("DIGITS_REFUSED"), EXIT.refused],
    [new PairingError("WRONG_CODE"), EXIT.refused],
    [new PairingError("LINK_EXPIRED"), EXIT.notPaired],
    [new PairingError("LINK_USED_TWICE"), EXIT.identityChanged],
    [new HandfastError("BAD_LINK", "x"), EXIT.usage],
    [new PairingError("TOO_MANY_TRIES"), EXIT.locked],
    [new PairingError("POSSIBLE_ATTACK"), EXIT.identityChanged],
    [new PairingError("PAIRING_TIMED_OUT"), EXIT.timedOut],
    [new PairingError("STORAGE_FAILED"), EXIT.internal],
    [new Error("a mistake of ours"), EXIT.internal],
  ];
  for (const [error, code] of codes) assert.equal(exitCodeOf(error), code);
});

test("a device is meant by its name, its id or the beginning of its id, and only when that is clear", () => {
  const lines = [
    { device: "aaaa000000000001", name: "Phone" },
    { device: "aaaa000000000002", name: "Tablet" },
    { device: "bbbb000000000003", name: "Tablet" },
  ];
  assert.equal(chooseDevice(lines, "phone").device, "aaaa000000000001");
  assert.equal(chooseDevice(lines, "bbbb").device, "bbbb000000000003");
  assert.equal(chooseDevice(lines, "aaaa000000000002").name, "Tablet");
  assert.throws(() => chooseDevice(lines, "Tablet"), UsageError);
  assert.throws(() => chooseDevice(lines, "aaaa"), UsageError);
  assert.throws(
    () => chooseDevice(lines, "bbb"),
    (error: unknown) => error instanceof HandfastError && error.code === "NOT_PAIRED",
  );
});

const LINK = `HF1:${"QUAYCRD7AAAACGPLOJICGH5AK3UVUDWDMYXLBYPSHI4DWUDE7PSJDOFSIBMEA2DPONHVBMRU"}`;
const ESCAPE = String.fromCharCode(27);
const COLOUR = new RegExp(`${ESCAPE}\\[[0-9;]*m`, "g");

/** The dark modules that a drawing shows, whatever its style. */
function modulesOf(lines: readonly string[], unicode: boolean, colours: boolean): boolean[][] {
  if (!unicode) {
    const cell = new RegExp(`${ESCAPE}\\[(40|107)m {2}`, "g");
    return lines.map((line) => [...line.matchAll(cell)].map(([, colour]) => colour === "40"));
  }
  return lines.flatMap((line) => {
    const drawn = [...line.replaceAll(COLOUR, "")];
    return ["█▀", "█▄"].map((half) => drawn.map((each) => half.includes(each) === colours));
  });
}

test("a QR code is the same modules in every style, and absent where it could not be read", () => {
  const { data, size } = encode(LINK, { ecc: "M", border: 2 });
  for (const [unicode, colours] of [
    [true, true],
    [true, false],
    [false, true],
  ] as const) {
    const lines = qrLines(LINK, { unicode, colours, columns: 80 });
    assert.ok(lines);
    assert.deepEqual(modulesOf(lines, unicode, colours).slice(0, size), data);
    const width = unicode ? size : 2 * size;
    assert.ok(qrLines(LINK, { unicode, colours, columns: width }));
    assert.equal(qrLines(LINK, { unicode, colours, columns: width - 1 }), undefined);
  }
  assert.equal(qrLines(LINK, { unicode: false, colours: false, columns: 80 }), undefined);
});

test("whether the terminal draws blocks is said by the locale", () => {
  assert.equal(drawsUnicode({ LANG: "de_DE.UTF-8" }, "linux"), true);
  assert.equal(drawsUnicode({ LC_ALL: "C", LANG: "de_DE.UTF-8" }, "linux"), false);
  assert.equal(drawsUnicode({ LANG: "de_DE.UTF-8", TERM: "linux" }, "linux"), false);
  assert.equal(drawsUnicode({}, "linux"), false);
  assert.equal(drawsUnicode({ WT_SESSION: "1" }, "win32"), true);
  assert.equal(drawsUnicode({}, "win32"), false);
});

test("three situations, three texts, each with what to type", () => {
  const codes = ["PEER_FORGOT_US", "IDENTITY_CHANGED", "BOND_COPIED"];
  const texts = codes.map((code) => (withAdvice(new HandfastError(code, "x")) as HandfastError).message);
  assert.equal(new Set(texts).size, 3);
  for (const text of texts) assert.match(text, /handfast forget/);
  const other = new HandfastError("NOT_REACHABLE", "x");
  assert.equal(withAdvice(other), other);
});

test("PROTOCOL.md names every event and every exit code", () => {
  const text = readFileSync("src/cli/PROTOCOL.md", "utf8");
  const events = [...readFileSync("src/cli/events.ts", "utf8").matchAll(/event: "([a-z-]+)"/g)].map(([, name]) => name);
  assert.ok(events.length > 20);
  for (const name of events) assert.ok(text.includes(`\`${name}\``), name);
  for (const code of Object.values(EXIT)) assert.match(text, new RegExp(`^\\| (\\d+, )?${code}(, \\d+)? \\|`, "m"));
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, fromHex } from "#kernel/bytes.js";
import { DEFAULT_PARAMETERS, decodeParameters, encodeParameters, NO_PARAMETERS } from "#transport/params.js";
import { SeededRandom } from "../simulation/seededRandom.js";

const random = new SeededRandom(5);

function decode(hex: string) {
  return decodeParameters(fromHex(hex.replaceAll(" ", "")));
}

function refused(hex: string): void {
  assert.throws(() => decode(hex), { code: "TRANSPORT_PARAMETER_ERROR" }, hex);
}

test("parameters come back as they were, with grease and padding between", () => {
  const all = {
    ...DEFAULT_PARAMETERS,
    resetToken: random.bytes(16),
    handshakeDcid: random.bytes(8),
    handshakeScid: random.bytes(8),
    versions: [0x48460001, 0x0a0a0a0a],
    unknownDevice: true,
  };
  const encodings = new Set<string>();
  for (let i = 0; i < 300; i++) {
    const bytes = encodeParameters(all, random.bytes);
    encodings.add(String(bytes));
    assert.deepEqual(decodeParameters(concat(bytes, new Uint8Array(i))), all);
  }
  assert.ok(encodings.size > 100, "the grease differs");
});

test("what is not sent is as conservative as it can be", () => {
  assert.deepEqual(decode(""), NO_PARAMETERS);
  assert.deepEqual(decode("00 01 01 05"), NO_PARAMETERS, "PADDING is the end");
});

test("unknown ids are skipped, known ones never twice", () => {
  assert.equal(decode("3a 03 ffffff 01 01 05 7fff 00").idleMs, 5);
  refused("01 01 05 01 01 05");
  refused("3a 00 3a 00");
});

test("every limit holds at its edge", () => {
  assert.equal(decode("03 02 44b0").maxUdpPayload, 1200);
  refused("03 02 44af");
  assert.equal(decode("0b 02 7fff").maxAckDelayMs, 2 ** 14 - 1);
  refused("0b 04 80004000");
  assert.equal(decode("0e 01 02").activeCids, 2);
  refused("0e 01 01");
  assert.equal(decode("08 08 c004000000000000").maxStreamsBidi, 2 ** 50);
  refused("08 08 c004000000000001");
  refused("09 08 c004000000000001");
  assert.equal(decode(`42 40 40 ${"0a".repeat(64)}`.replace("42 40 40", "4042 4040")).versions?.length, 16);
  refused(`4042 4044 ${"0a".repeat(68)}`);
  refused("4042 05 0a0a0a0a0a");
});

test("wrong lengths and early ends are refused", () => {
  refused(`02 0f ${"00".repeat(15)}`);
  refused(`02 11 ${"00".repeat(17)}`);
  refused(`4040 07 ${"00".repeat(7)}`);
  refused("01 00");
  refused("01 02 0505");
  refused("01 05 01");
  refused("01");
  refused("40");
  refused("04 08 ffffffffffffffff");
});

test("any bytes are read or refused with a code", () => {
  for (let i = 0; i < 20_000; i++) {
    try {
      decodeParameters(random.bytes(random.integer(80)));
    } catch (error) {
      assert.equal((error as { code?: string }).code, "TRANSPORT_PARAMETER_ERROR");
    }
  }
});

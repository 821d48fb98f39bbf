import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex, utf8 } from "#kernel/bytes.js";
import { ByteWriter } from "#kernel/varint.js";
import { type AckFrame, FRAME } from "#transport/frames.js";
import { parseFrames } from "#transport/parseFrames.js";
import { writeAck, writeClose, writeNumbers, writeStreamHeader } from "#transport/writeFrames.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { RecordingSink, type SeenFrame } from "../support/frames.js";

function parse(hex: string): readonly SeenFrame[] {
  const sink = new RecordingSink();
  parseFrames(fromHex(hex.replaceAll(" ", "")), sink);
  return sink.frames;
}

function write(frame: SeenFrame, out: ByteWriter): void {
  switch (frame.kind) {
    case "ack":
      writeAck(out, runsOf(frame.frame), frame.frame.delayMs);
      return;
    case "stream":
      writeStreamHeader(out, frame.id, frame.offset, frame.data.length, frame.fin);
      out.put(frame.data);
      return;
    case "crypto":
      writeNumbers(out, FRAME.CRYPTO, frame.offset, frame.data.length);
      out.put(frame.data);
      return;
    case "datagram":
      writeNumbers(out, FRAME.DATAGRAM_WITH_LENGTH, frame.data.length);
      out.put(frame.data);
      return;
    case "close":
      writeClose(out, frame.frame);
      return;
    case "newCid":
      writeNumbers(out, FRAME.NEW_CONNECTION_ID, frame.sequence, frame.retirePrior);
      out.put(frame.cid);
      out.put(frame.token);
      return;
    case "path":
      out.u8(frame.type);
      out.put(frame.token);
      return;
    case "numbers":
      writeNumbers(out, frame.type, ...frame.values);
      return;
    default:
  }
}

function runsOf(frame: AckFrame): { start: number; end: number }[] {
  const runs: { start: number; end: number }[] = [];
  for (let i = 0; i < frame.ranges.length; i += 2)
    runs.push({ start: frame.ranges[i] ?? 0, end: frame.ranges[i + 1] ?? 0 });
  return runs;
}

function encode(frames: readonly SeenFrame[]): Uint8Array {
  const out = new ByteWriter(new Uint8Array(64 * 1024));
  for (const frame of frames) write(frame, out);
  return out.written();
}

function decode(bytes: Uint8Array): readonly SeenFrame[] {
  const sink = new RecordingSink();
  parseFrames(bytes, sink);
  return sink.frames;
}

const number = (random: SeededRandom): number => {
  const width = random.integer(5);
  return (
    [random.integer(64), random.integer(2 ** 14), random.integer(2 ** 30), Math.floor(random.number() * 2 ** 53), 0][
      width
    ] ?? 0
  );
};

function randomFrame(random: SeededRandom): SeenFrame {
  const bytes = (): Uint8Array => random.bytes(random.integer(100));
  const pick = random.integer(13);
  switch (pick) {
    case 0: {
      let at = 1 + random.integer(2 ** 40) + 70 * 4096;
      const largest = at;
      const ranges: number[] = [];
      for (let i = random.integer(64); i >= 0; i--) {
        const start = at - random.integer(1000);
        ranges.push(start, at);
        at = start - 2 - random.integer(1000);
      }
      return { kind: "ack", frame: { largest, delayMs: random.integer(1 << 20) * 0.008, ranges } };
    }
    case 1:
    case 2:
      return { kind: "stream", id: number(random), offset: number(random), data: bytes(), fin: random.chance(0.5) };
    case 3:
      return { kind: "crypto", offset: number(random), data: bytes() };
    case 4:
      return { kind: "datagram", data: bytes() };
    case 5:
      return {
        kind: "close",
        frame: { application: random.chance(0.5), code: number(random), reason: "é".repeat(random.integer(128)) },
      };
    case 6:
      return {
        kind: "path",
        type: random.chance(0.5) ? FRAME.PATH_CHALLENGE : FRAME.PATH_RESPONSE,
        token: random.bytes(8),
      };
    case 7:
      return { kind: "numbers", type: FRAME.RESET_STREAM, values: [number(random), number(random), number(random)] };
    case 8:
      return { kind: "numbers", type: FRAME.STOP_SENDING, values: [number(random), number(random)] };
    case 9:
      return { kind: "numbers", type: FRAME.MAX_STREAM_DATA, values: [number(random), number(random)] };
    case 11:
      return {
        kind: "newCid",
        sequence: number(random),
        retirePrior: number(random),
        cid: random.bytes(8),
        token: random.bytes(16),
      };
    case 10:
      return { kind: "numbers", type: FRAME.REKEY_REQUEST, values: [number(random)] };
    default: {
      const types = [FRAME.MAX_DATA, FRAME.MAX_STREAMS_BIDI, FRAME.MAX_STREAMS_UNI, FRAME.RETIRE_CONNECTION_ID];
      return { kind: "numbers", type: types[random.integer(types.length)] ?? FRAME.MAX_DATA, values: [number(random)] };
    }
  }
}

test("what is encoded is decoded the same, and encoded again to the same bytes", () => {
  const random = new SeededRandom(11);
  for (let i = 0; i < 5_000; i++) {
    const frames = Array.from({ length: 1 + random.integer(6) }, () => randomFrame(random));
    const bytes = encode(frames);
    const decoded = decode(bytes);
    assert.deepEqual(shape(decoded), shape(frames));
    assert.equal(toHex(encode(decoded)), toHex(bytes));
  }
});

/** Delays are counted in units of 8 µs. */
function shape(frames: readonly SeenFrame[]): unknown {
  return frames.map((frame) =>
    frame.kind === "ack" ? { ...frame.frame, delayMs: Math.round(frame.frame.delayMs / 0.008) } : frame,
  );
}

test("the frames of the table have these bytes", () => {
  const data = utf8("ab");
  const cases: readonly [hex: string, SeenFrame | undefined][] = [
    ["00 00 01", undefined],
    ["02 05 00 00 05", { kind: "ack", frame: { largest: 5, delayMs: 0, ranges: [0, 5] } }],
    ["02 0a 01 01 02 01 03", { kind: "ack", frame: { largest: 10, delayMs: 0.008, ranges: [8, 10, 2, 5] } }],
    ["04 04 07 4400", { kind: "numbers", type: 4, values: [4, 7, 1024] }],
    ["05 04 07", { kind: "numbers", type: 5, values: [4, 7] }],
    ["06 01 02 6162", { kind: "crypto", offset: 1, data }],
    ["08 04 6162", { kind: "stream", id: 4, offset: 0, data, fin: false }],
    ["09 04 6162", { kind: "stream", id: 4, offset: 0, data, fin: true }],
    ["0a 04 02 6162", { kind: "stream", id: 4, offset: 0, data, fin: false }],
    ["0f 04 09 02 6162", { kind: "stream", id: 4, offset: 9, data, fin: true }],
    ["0c 04 09 6162", { kind: "stream", id: 4, offset: 9, data, fin: false }],
    ["10 bfffffff", { kind: "numbers", type: 0x10, values: [2 ** 30 - 1] }],
    ["11 04 05", { kind: "numbers", type: 0x11, values: [4, 5] }],
    ["12 05", { kind: "numbers", type: 0x12, values: [5] }],
    ["13 05", { kind: "numbers", type: 0x13, values: [5] }],
    ["14 05", { kind: "numbers", type: 0x14, values: [5] }],
    ["15 05 06", { kind: "numbers", type: 0x15, values: [5, 6] }],
    ["16 05", { kind: "numbers", type: 0x16, values: [5] }],
    ["17 05", { kind: "numbers", type: 0x17, values: [5] }],
    ["1a 0001020304050607", { kind: "path", type: 0x1a, token: Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7) }],
    ["1b 0001020304050607", { kind: "path", type: 0x1b, token: Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7) }],
    ["1c 07 00 02 6162", { kind: "close", frame: { application: false, code: 7, reason: "ab" } }],
    ["1d 07 02 6162", { kind: "close", frame: { application: true, code: 7, reason: "ab" } }],
    ["30 6162", { kind: "datagram", data }],
    ["31 02 6162", { kind: "datagram", data }],
    ["4840 03", { kind: "numbers", type: FRAME.REKEY_REQUEST, values: [3] }],
  ];
  for (const [hex, frame] of cases) assert.deepEqual(parse(hex), frame ? [frame] : [], hex);
});

test("a long form of a number is read, a long form of a type is not", () => {
  assert.deepEqual(parse("10 c000000000000005"), [{ kind: "numbers", type: 0x10, values: [5] }]);
  for (const hex of ["4001", "8000000a 04 00", "c000000000000001", "80000840 03"]) refused(hex);
});

function refused(hex: string): void {
  assert.throws(() => parse(hex), { code: "FRAME_ENCODING_ERROR" }, hex);
}

test("what cannot be a frame is FRAME_ENCODING_ERROR", () => {
  refused("");
  // Types that do not exist here: ECN counts, NEW_TOKEN, HANDSHAKE_DONE, and what nobody defined.
  for (const type of ["03", "07", "1e", "20", "2f", "32", "3f", "4841", "7fff", "bfffffff", "ffffffffffffffff"])
    refused(`${type} 00 00 00 00 00 00 00 00 00 00`);
  // Every frame, cut short at every byte.
  const whole = ["02 0a 01 01 02 01 03", "04 04 07 4400", "05 04 07", "06 01 02 6162", "0f 04 09 02 6162", "11 04 05"];
  whole.push(
    "1a 0001020304050607",
    "1c 07 00 02 6162",
    "1d 07 02 6162",
    "31 02 6162",
    "4840 03",
    "10 c000000000000005",
  );
  for (const frame of whole) {
    const hex = frame.replaceAll(" ", "");
    for (let length = 2; length < hex.length; length += 2) refused(hex.slice(0, length));
  }
  // Numbers above 2^53-1, ACK ranges below zero, one range too many, a reason that is too long.
  refused("10 ffffffffffffffff");
  refused("10 e000000000000000");
  refused("02 05 00 00 06");
  refused("02 05 00 01 02 02 01");
  refused(`02 7fff 00 4040 00 ${"0000".repeat(64)}`);
  refused(`1d 00 4101 ${"61".repeat(257)}`);
});

test("limits: 64 ACK ranges, 256 bytes of reason, 2^53-1", () => {
  assert.equal(parse(`02 7fff 00 3f 00 ${"0000".repeat(63)}`).length, 1);
  assert.equal(parse(`1d 00 4100 ${"61".repeat(256)}`).length, 1);
  assert.deepEqual(parse("10 c01fffffffffffff"), [{ kind: "numbers", type: 0x10, values: [2 ** 53 - 1] }]);
  refused("10 c020000000000000");
});

test("a close reason never carries control characters to a terminal", () => {
  const [seen] = parse(`1d 00 08 ${toHex(utf8("a\u001b[2Jb\r\n"))}`);
  assert.equal(seen?.kind === "close" && seen.frame.reason, "a?[2Jb??");
});

test("any bytes are read or refused with a code, never thrown at", () => {
  const random = new SeededRandom(12);
  for (let i = 0; i < 20_000; i++) {
    const bytes = random.bytes(1 + random.integer(60));
    if (random.chance(0.7)) bytes[0] = random.integer(0x32);
    try {
      decode(bytes);
    } catch (error) {
      assert.equal((error as { code?: string }).code, "FRAME_ENCODING_ERROR", toHex(bytes));
    }
  }
});

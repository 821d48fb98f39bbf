import { type ByteWriter, varintLength } from "#kernel/varint.js";
import {
  ACK_DELAY_UNIT_MS,
  type CloseFrame,
  FRAME,
  MAX_ACK_RANGES,
  MAX_REASON,
  STREAM_FIN,
  STREAM_LENGTH,
  STREAM_OFFSET,
} from "./frames.js";

/** Writes an ACK of the runs in `ranges` (highest first), as many as fit. Needs at least one run and 32 bytes of room. */
export function writeAck(
  out: ByteWriter,
  ranges: Iterable<{ readonly start: number; readonly end: number }>,
  delayMs: number,
): void {
  const runs: { start: number; end: number }[] = [];
  let room = out.remaining - 32;
  let previous: { start: number; end: number } | undefined;
  for (const run of ranges) {
    if (previous) room -= varintLength(previous.start - run.end - 2) + varintLength(run.end - run.start);
    if (runs.length === MAX_ACK_RANGES || room < 0) break;
    runs.push(run);
    previous = run;
  }
  const first = runs[0];
  if (!first) throw new RangeError("an ACK needs a run");
  out.u8(FRAME.ACK);
  out.varint(first.end);
  out.varint(Math.round(delayMs / ACK_DELAY_UNIT_MS));
  out.varint(runs.length - 1);
  out.varint(first.end - first.start);
  for (let i = 1; i < runs.length; i++) {
    const above = runs[i - 1] ?? first;
    const run = runs[i] ?? first;
    out.varint(above.start - run.end - 2);
    out.varint(run.end - run.start);
  }
}

/** The most bytes before the data of a STREAM frame, at any offset, where `room` bytes are left: from 16 KiB on the length takes four. */
export function streamHeaderRoom(id: number, room: number): number {
  return 1 + varintLength(id) + 8 + (room >= 0x4000 ? 4 : 2);
}

/** Writes the head of a STREAM frame; exactly `length` bytes of data must follow. */
export function writeStreamHeader(out: ByteWriter, id: number, offset: number, length: number, fin: boolean): void {
  out.u8(FRAME.STREAM | STREAM_LENGTH | (offset > 0 ? STREAM_OFFSET : 0) | (fin ? STREAM_FIN : 0));
  out.varint(id);
  if (offset > 0) out.varint(offset);
  if (length >= 0x4000) out.varint(length);
  else out.u16(length | 0x4000);
}

/** Writes a frame that is nothing but a type and varints. */
export function writeNumbers(out: ByteWriter, type: number, ...values: readonly number[]): void {
  out.varint(type);
  for (const value of values) out.varint(value);
}

/** Room that `writeNumbers` may need at most for `count` values. */
export function numbersLength(count: number): number {
  return 2 + 8 * count;
}

export function writeClose(out: ByteWriter, frame: CloseFrame): void {
  const reason = new TextEncoder().encode(frame.reason).subarray(0, MAX_REASON);
  writeNumbers(out, frame.application ? FRAME.APPLICATION_CLOSE : FRAME.CONNECTION_CLOSE, frame.code);
  if (!frame.application) out.varint(0);
  out.varint(reason.length);
  out.put(reason);
}

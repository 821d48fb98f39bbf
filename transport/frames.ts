import { WireError } from "#kernel/errors.js";
import { ByteReader, type ByteWriter, varintLength } from "#kernel/varint.js";
import { TRANSPORT_ERROR, TransportError } from "./errors.js";

/** Frame types, PROTOCOL.md §5. QUIC's numbers where the meaning is QUIC's. */
export const FRAME = {
  PADDING: 0x00,
  PING: 0x01,
  ACK: 0x02,
  RESET_STREAM: 0x04,
  STOP_SENDING: 0x05,
  CRYPTO: 0x06,
  STREAM: 0x08,
  MAX_DATA: 0x10,
  MAX_STREAM_DATA: 0x11,
  MAX_STREAMS_BIDI: 0x12,
  MAX_STREAMS_UNI: 0x13,
  DATA_BLOCKED: 0x14,
  STREAM_DATA_BLOCKED: 0x15,
  STREAMS_BLOCKED_BIDI: 0x16,
  STREAMS_BLOCKED_UNI: 0x17,
  NEW_CONNECTION_ID: 0x18,
  RETIRE_CONNECTION_ID: 0x19,
  PATH_CHALLENGE: 0x1a,
  PATH_RESPONSE: 0x1b,
  CONNECTION_CLOSE: 0x1c,
  APPLICATION_CLOSE: 0x1d,
  IMMEDIATE_ACK: 0x1f,
  DATAGRAM: 0x30,
  DATAGRAM_WITH_LENGTH: 0x31,
  ACK_FREQUENCY: 0xaf,
  REKEY_REQUEST: 0x0840,
} as const;

const STREAM_FIN = 0x01;
const STREAM_LENGTH = 0x02;
const STREAM_OFFSET = 0x04;
const MAX_ACK_RANGES = 64;
const MAX_REASON = 256;
const ACK_DELAY_UNIT_MS = 0.008;

/** An ACK as received: flat pairs start, end, start, end… from the highest run to the lowest. */
export interface AckFrame {
  readonly largest: number;
  readonly delayMs: number;
  readonly ranges: readonly number[];
}

/** How the sender wants its packets acknowledged: ACK_FREQUENCY (draft-ietf-quic-ack-frequency). */
export interface AckFrequency {
  readonly sequence: number;
  /** So many ack-eliciting packets may stay unacknowledged. */
  readonly threshold: number;
  readonly maxDelayMs: number;
  /** A gap is worth an immediate ACK when it is this far behind the newest packet; 0: never. */
  readonly reordering: number;
}

/** Whether an ACK's ranges hold one of these numbers, which rise. One walk through both. */
export function coversAny(ranges: readonly number[], numbers: readonly number[]): boolean {
  let at = 0;
  for (let i = numbers.length - 1; i >= 0; i--) {
    const number = numbers[i] ?? -1;
    while (at < ranges.length && number < (ranges[at] ?? 0)) at += 2;
    if (number <= (ranges[at + 1] ?? -1)) return true;
  }
  return false;
}

export interface CloseFrame {
  readonly application: boolean;
  readonly code: number;
  readonly reason: string;
}

/** Who hears the frames of one packet, in order. Byte arrays are views into the packet. Methods may throw TransportError. */
export interface FrameSink {
  onAck(frame: AckFrame): void;
  onResetStream(id: number, code: number, finalSize: number): void;
  onStopSending(id: number, code: number): void;
  onCrypto(offset: number, data: Uint8Array): void;
  onStream(id: number, offset: number, data: Uint8Array, fin: boolean): void;
  onMaxData(limit: number): void;
  onMaxStreamData(id: number, limit: number): void;
  onMaxStreams(unidirectional: boolean, limit: number): void;
  /** The peer has more to send than this limit of ours allows: `stream` undefined means the connection's. */
  onDataBlocked(stream: number | undefined, limit: number): void;
  onStreamsBlocked(unidirectional: boolean, limit: number): void;
  onNewConnectionId(sequence: number, retirePrior: number, cid: Uint8Array, token: Uint8Array): void;
  onRetireConnectionId(sequence: number): void;
  onPathChallenge(token: Uint8Array): void;
  onPathResponse(token: Uint8Array): void;
  onClose(frame: CloseFrame): void;
  onDatagram(data: Uint8Array): void;
  onRekeyRequest(epoch: number): void;
  onImmediateAck(): void;
  onAckFrequency(frequency: AckFrequency): void;
}

/** Reads every frame of a decrypted payload. True when one of them elicits an ACK. Throws TransportError. */
export function parseFrames(payload: Uint8Array, sink: FrameSink): boolean {
  if (payload.length === 0) throw malformed("a packet without frames", undefined);
  const reader = new ByteReader(payload);
  let ackEliciting = false;
  while (reader.remaining > 0) {
    const type = reader.bytes[reader.offset] ?? 0;
    if (type === FRAME.PADDING) {
      reader.offset++;
      continue;
    }
    try {
      ackEliciting = parseFrame(reader, sink) || ackEliciting;
    } catch (error) {
      if (error instanceof WireError) throw malformed(error.message, type);
      throw error;
    }
  }
  return ackEliciting;
}

function parseFrame(reader: ByteReader, sink: FrameSink): boolean {
  const at = reader.offset;
  const type = reader.varint();
  if (reader.offset - at !== varintLength(type)) throw malformed("a frame type is not in its shortest form", type);
  if (type >= FRAME.STREAM && type <= FRAME.STREAM + 7) {
    parseStream(type, reader, sink);
    return true;
  }
  switch (type) {
    case FRAME.ACK:
      sink.onAck(parseAck(reader));
      return false;
    case FRAME.CONNECTION_CLOSE:
    case FRAME.APPLICATION_CLOSE:
      sink.onClose(parseClose(type, reader));
      return false;
    default:
      parseControl(type, reader, sink);
      return true;
  }
}

function parseControl(type: number, reader: ByteReader, sink: FrameSink): void {
  switch (type) {
    case FRAME.PING:
      return;
    case FRAME.RESET_STREAM:
      return sink.onResetStream(reader.varint(), reader.varint(), reader.varint());
    case FRAME.STOP_SENDING:
      return sink.onStopSending(reader.varint(), reader.varint());
    case FRAME.CRYPTO:
      return sink.onCrypto(reader.varint(), reader.take(reader.varint()));
    case FRAME.MAX_DATA:
      return sink.onMaxData(reader.varint());
    case FRAME.MAX_STREAM_DATA:
      return sink.onMaxStreamData(reader.varint(), reader.varint());
    case FRAME.MAX_STREAMS_BIDI:
    case FRAME.MAX_STREAMS_UNI:
      return sink.onMaxStreams(type === FRAME.MAX_STREAMS_UNI, reader.varint());
    case FRAME.STREAM_DATA_BLOCKED:
      return sink.onDataBlocked(reader.varint(), reader.varint());
    case FRAME.DATA_BLOCKED:
      return sink.onDataBlocked(undefined, reader.varint());
    case FRAME.STREAMS_BLOCKED_BIDI:
    case FRAME.STREAMS_BLOCKED_UNI:
      return sink.onStreamsBlocked(type === FRAME.STREAMS_BLOCKED_UNI, reader.varint());
    case FRAME.NEW_CONNECTION_ID:
      return sink.onNewConnectionId(reader.varint(), reader.varint(), reader.take(8), reader.take(16));
    case FRAME.RETIRE_CONNECTION_ID:
      return sink.onRetireConnectionId(reader.varint());
    case FRAME.PATH_CHALLENGE:
      return sink.onPathChallenge(reader.take(8));
    case FRAME.PATH_RESPONSE:
      return sink.onPathResponse(reader.take(8));
    case FRAME.DATAGRAM:
      return sink.onDatagram(reader.take(reader.remaining));
    case FRAME.DATAGRAM_WITH_LENGTH:
      return sink.onDatagram(reader.take(reader.varint()));
    case FRAME.IMMEDIATE_ACK:
      return sink.onImmediateAck();
    case FRAME.ACK_FREQUENCY:
      return sink.onAckFrequency(parseAckFrequency(reader));
    case FRAME.REKEY_REQUEST:
      return sink.onRekeyRequest(reader.varint());
    default:
      throw malformed(`unknown frame type 0x${type.toString(16)}`, type);
  }
}

function parseStream(type: number, reader: ByteReader, sink: FrameSink): void {
  const id = reader.varint();
  const offset = type & STREAM_OFFSET ? reader.varint() : 0;
  const length = type & STREAM_LENGTH ? reader.varint() : reader.remaining;
  sink.onStream(id, offset, reader.take(length), (type & STREAM_FIN) !== 0);
}

function parseAck(reader: ByteReader): AckFrame {
  const largest = reader.varint();
  const delayMs = reader.varint() * ACK_DELAY_UNIT_MS;
  const count = reader.varint();
  if (count >= MAX_ACK_RANGES) throw malformed("too many ACK ranges", FRAME.ACK);
  let start = largest - reader.varint();
  if (start < 0) throw malformed("an ACK range below zero", FRAME.ACK);
  const ranges = [start, largest];
  for (let i = 0; i < count; i++) {
    const end = start - reader.varint() - 2;
    start = end - reader.varint();
    if (start < 0) throw malformed("an ACK range below zero", FRAME.ACK);
    ranges.push(start, end);
  }
  return { largest, delayMs, ranges };
}

function parseAckFrequency(reader: ByteReader): AckFrequency {
  const [sequence, threshold, maxDelayUs, reordering] = [
    reader.varint(),
    reader.varint(),
    reader.varint(),
    reader.varint(),
  ];
  return { sequence, threshold, maxDelayMs: maxDelayUs / 1000, reordering };
}

function parseClose(type: number, reader: ByteReader): CloseFrame {
  const code = reader.varint();
  if (type === FRAME.CONNECTION_CLOSE) reader.varint();
  const length = reader.varint();
  if (length > MAX_REASON) throw malformed("a close reason above 256 bytes", type);
  // The reason is shown to a person, so it is never trusted to be text.
  const reason = new TextDecoder().decode(reader.take(length)).replace(/[\p{Cc}\p{Cf}]/gu, "?");
  return { application: type === FRAME.APPLICATION_CLOSE, code, reason };
}

function malformed(message: string, frameType: number | undefined): TransportError {
  return new TransportError(
    TRANSPORT_ERROR.FRAME_ENCODING_ERROR,
    `The peer sent what we cannot read: ${message}.`,
    frameType,
  );
}

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

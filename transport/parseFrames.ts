import { WireError } from "#kernel/errors.js";
import { ByteReader, varintLength } from "#kernel/varint.js";
import { TRANSPORT_ERROR, TransportError } from "./errors.js";
import {
  ACK_DELAY_UNIT_MS,
  type AckFrame,
  type AckFrequency,
  type CloseFrame,
  FRAME,
  type FrameSink,
  MAX_ACK_RANGES,
  MAX_REASON,
  STREAM_FIN,
  STREAM_LENGTH,
  STREAM_OFFSET,
} from "./frames.js";

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

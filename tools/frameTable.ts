import { FRAME } from "#transport/frames.js";

/** How one field is written: a varint, a fixed number of bytes, a varint and so many bytes, or everything that is left. */
export type FieldKind = "varint" | 8 | 16 | "counted" | "rest";

export interface FrameRow {
  readonly type: number;
  readonly name: string;
  readonly fields: readonly (readonly [name: string, kind: FieldKind])[];
}

const numbers = (...names: readonly string[]): FrameRow["fields"] => names.map((name) => [name, "varint"] as const);

/** PROTOCOL.md §5 for programs that only want to show frames. ACK is not here: its length depends on itself. */
export const FRAME_TABLE: readonly FrameRow[] = [
  { type: FRAME.PADDING, name: "PADDING", fields: [] },
  { type: FRAME.PING, name: "PING", fields: [] },
  { type: FRAME.RESET_STREAM, name: "RESET_STREAM", fields: numbers("stream", "code", "final size") },
  { type: FRAME.STOP_SENDING, name: "STOP_SENDING", fields: numbers("stream", "code") },
  { type: FRAME.CRYPTO, name: "CRYPTO", fields: [...numbers("offset"), ["data", "counted"]] },
  ...Array.from({ length: 8 }, (_, bits) => streamRow(bits)),
  { type: FRAME.MAX_DATA, name: "MAX_DATA", fields: numbers("limit") },
  { type: FRAME.MAX_STREAM_DATA, name: "MAX_STREAM_DATA", fields: numbers("stream", "limit") },
  { type: FRAME.MAX_STREAMS_BIDI, name: "MAX_STREAMS (bidirectional)", fields: numbers("limit") },
  { type: FRAME.MAX_STREAMS_UNI, name: "MAX_STREAMS (unidirectional)", fields: numbers("limit") },
  { type: FRAME.DATA_BLOCKED, name: "DATA_BLOCKED", fields: numbers("limit") },
  { type: FRAME.STREAM_DATA_BLOCKED, name: "STREAM_DATA_BLOCKED", fields: numbers("stream", "limit") },
  { type: FRAME.STREAMS_BLOCKED_BIDI, name: "STREAMS_BLOCKED (bidirectional)", fields: numbers("limit") },
  { type: FRAME.STREAMS_BLOCKED_UNI, name: "STREAMS_BLOCKED (unidirectional)", fields: numbers("limit") },
  {
    type: FRAME.NEW_CONNECTION_ID,
    name: "NEW_CONNECTION_ID",
    fields: [...numbers("sequence", "retire prior"), ["connection ID", 8], ["reset token", 16]],
  },
  { type: FRAME.RETIRE_CONNECTION_ID, name: "RETIRE_CONNECTION_ID", fields: numbers("sequence") },
  { type: FRAME.PATH_CHALLENGE, name: "PATH_CHALLENGE", fields: [["token", 8]] },
  { type: FRAME.PATH_RESPONSE, name: "PATH_RESPONSE", fields: [["token", 8]] },
  {
    type: FRAME.CONNECTION_CLOSE,
    name: "CONNECTION_CLOSE",
    fields: [...numbers("code", "frame type"), ["reason", "counted"]],
  },
  { type: FRAME.APPLICATION_CLOSE, name: "APPLICATION_CLOSE", fields: [...numbers("code"), ["reason", "counted"]] },
  { type: FRAME.DATAGRAM, name: "DATAGRAM", fields: [["data", "rest"]] },
  { type: FRAME.DATAGRAM_WITH_LENGTH, name: "DATAGRAM", fields: [["data", "counted"]] },
  { type: FRAME.IMMEDIATE_ACK, name: "IMMEDIATE_ACK", fields: [] },
  {
    type: FRAME.ACK_FREQUENCY,
    name: "ACK_FREQUENCY",
    fields: numbers("sequence", "threshold", "max delay", "reordering"),
  },
  { type: FRAME.REKEY_REQUEST, name: "REKEY_REQUEST", fields: numbers("epoch") },
];

function streamRow(bits: number): FrameRow {
  const offset = bits & 4 ? numbers("offset") : [];
  const fin = bits & 1 ? " FIN" : "";
  return {
    type: FRAME.STREAM + bits,
    name: `STREAM${fin}`,
    fields: [...numbers("stream"), ...offset, ["data", bits & 2 ? "counted" : "rest"]],
  };
}

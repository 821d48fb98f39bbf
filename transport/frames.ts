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

/** Added to the type STREAM: what else the frame has. */
export const STREAM_FIN = 0x01;
export const STREAM_LENGTH = 0x02;
export const STREAM_OFFSET = 0x04;

export const MAX_ACK_RANGES = 64;
export const MAX_REASON = 256;
export const ACK_DELAY_UNIT_MS = 0.008;

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

import { HandfastError } from "#kernel/errors.js";

/** Numbers on the wire: RFC 9000 §20.1 where the meaning is the same, 0x41xx are ours (PROTOCOL.md §1). */
export const TRANSPORT_ERROR = {
  NO_ERROR: 0x00,
  INTERNAL_ERROR: 0x01,
  CONNECTION_REFUSED: 0x02,
  FLOW_CONTROL_ERROR: 0x03,
  STREAM_LIMIT_ERROR: 0x04,
  STREAM_STATE_ERROR: 0x05,
  FINAL_SIZE_ERROR: 0x06,
  FRAME_ENCODING_ERROR: 0x07,
  TRANSPORT_PARAMETER_ERROR: 0x08,
  CONNECTION_ID_LIMIT_ERROR: 0x09,
  PROTOCOL_VIOLATION: 0x0a,
  APPLICATION_ERROR: 0x0c,
  CRYPTO_BUFFER_EXCEEDED: 0x0d,
  KEY_UPDATE_ERROR: 0x0e,
  AEAD_LIMIT_REACHED: 0x0f,
  NO_VIABLE_PATH: 0x10,
  REPLACED: 0x4100,
  BOND_REVOKED: 0x4101,
  EPOCH_STUCK: 0x4102,
  IDLE: 0x4103,
  UNREACHABLE: 0x4104,
  SUSPENDED: 0x4105,
  DUPLICATE_DIAL: 0x4106,
  BOND_COPIED: 0x4107,
} as const;

/** Codes of RESET_STREAM and STOP_SENDING that we send ourselves; applications have all others. */
export const STREAM_CODE = {
  /** The application takes no more streams. */
  REFUSED: 0x4200,
  /** An AbortSignal ended it. */
  ABORTED: 0x4201,
} as const;

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(TRANSPORT_ERROR).map(([name, code]) => [code, name]));

/** The name of a number a peer sent; numbers we do not know get a stable generic one. */
export function transportErrorName(code: number): string {
  return NAMES.get(code) ?? "UNKNOWN_ERROR";
}

/** A reason to end one connection. `code` is the name, `transportCode` the number for CONNECTION_CLOSE. */
export class TransportError extends HandfastError {
  override readonly name: string = "TransportError";
  readonly transportCode: number;
  readonly frameType?: number;

  constructor(code: number, message: string, frameType?: number) {
    super(transportErrorName(code), message);
    this.transportCode = code;
    if (frameType !== undefined) this.frameType = frameType;
  }
}

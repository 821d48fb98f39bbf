import { HandfastError } from "#kernel/errors.js";
import type { CloseInfo } from "./closing.js";
import { TransportError } from "./errors.js";

/** The session is over, so this cannot be done any more. `code` says why: CLOSED, or the name of the transport error. */
export class SessionClosedError extends HandfastError {
  override readonly name = "SessionClosedError";
  constructor(info: CloseInfo) {
    const why = info.reason ? `: ${info.reason}` : "";
    const cause = info.error instanceof TransportError ? { cause: info.error } : undefined;
    super(info.error?.code ?? "CLOSED", `The connection to the other device is closed${why}`, cause);
  }
}

/** The peer allows no more streams at once, and the caller did not want to wait for one to end. */
export class StreamsExhaustedError extends HandfastError {
  override readonly name = "StreamsExhaustedError";
  constructor() {
    super("STREAMS_EXHAUSTED", "The other device takes no further stream before one has ended.");
  }
}

/** The other side dropped this stream; `resetCode` is its application's number. */
export class StreamResetError extends HandfastError {
  override readonly name = "StreamResetError";
  readonly resetCode: number;
  constructor(resetCode: number) {
    super("STREAM_RESET", `The other device dropped this stream (code ${resetCode}).`);
    this.resetCode = resetCode;
  }
}

/** This half of the stream is over on our side: its end was sent, or it is no longer read. */
export class StreamEndedError extends HandfastError {
  override readonly name = "StreamEndedError";
  constructor(message: string) {
    super("STREAM_ENDED", message);
  }
}

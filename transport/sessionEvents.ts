import type { Address } from "#kernel/ports.js";
import type { CloseInfo } from "./closing.js";
import type { SessionStream } from "./sessionStream.js";

/** What a session tells its application. */
export interface SessionEvents {
  /** The peer has opened a stream. Who listens gets all of them here, and none from `incomingStreams`. */
  stream: readonly [SessionStream];
  rekeyed: readonly [{ readonly epoch: number }];
  path: readonly [Address];
  /** The peer does not answer where it was; a fresh dial beside this session may find it. */
  suspect: readonly [];
  /** After "suspect": it does again. */
  answers: readonly [];
  /** This device slept; the peer is being asked whether it is still there. `hiddenMs`: how much of that no clock has shown. */
  resumed: readonly [{ readonly hiddenMs: number }];
  /** The device at the other end has connected anew: this session is over, "closed" follows. */
  replaced: readonly [];
  closed: readonly [CloseInfo];
}

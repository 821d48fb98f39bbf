import type { Address } from "#kernel/ports.js";
import type { CloseInfo } from "./closing.js";
import type { Stream } from "./stream.js";

/** What a connection tells its owner. */
export type ConnectionEvent =
  | { readonly type: "confirmed" }
  | { readonly type: "stream"; readonly stream: Stream }
  | { readonly type: "readable" | "writable"; readonly stream: Stream }
  /** Both halves are done: nothing more will be heard of it. */
  | { readonly type: "settled"; readonly stream: Stream }
  | { readonly type: "streamsAvailable" }
  | { readonly type: "datagram" }
  | { readonly type: "rekeyed"; readonly epoch: number }
  | { readonly type: "path"; readonly address: Address }
  /** The peer does not answer where it was: a fresh handshake should be tried beside this connection. */
  | { readonly type: "suspect" }
  /** It does again. */
  | { readonly type: "answers" }
  /** The device slept; for so long its clock stood still. */
  | { readonly type: "resumed"; readonly hiddenMs: number }
  | { readonly type: "closed"; readonly info: CloseInfo };

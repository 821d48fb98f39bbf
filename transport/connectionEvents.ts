import type { Address } from "#kernel/ports.js";
import type { CloseInfo } from "./closing.js";
import type { Stream } from "./stream.js";
import type { StreamTable } from "./streamTable.js";

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

const NO_STREAMS: readonly never[] = [];

/** What is to be told, in order. Streams are named once however much happened to them, and nothing follows the end. */
export class EventQueue {
  readonly #events: ConnectionEvent[] = [];
  /** Streams with something new for their reader. */
  readonly readable: Set<Stream> = new Set();
  /** Streams whose writer may go on, or has nothing left to wait for. */
  readonly writable: Set<Stream> = new Set();
  #ended = false;

  /** The end has been told. */
  get ended(): boolean {
    return this.#ended;
  }

  push(event: ConnectionEvent): void {
    this.#events.push(event);
  }

  /** `info`: how it ended, once it has. */
  next(streams: Pick<StreamTable, "takeSettled">, info: CloseInfo | undefined): ConnectionEvent | undefined {
    for (const stream of takeAll(this.readable)) this.#events.push({ type: "readable", stream });
    for (const stream of takeAll(this.writable)) this.#events.push({ type: "writable", stream });
    for (let stream = streams.takeSettled(); stream; stream = streams.takeSettled())
      this.#events.push({ type: "settled", stream });
    if (!info || this.#ended || this.#events.length > 0) return this.#events.shift();
    this.#ended = true;
    return { type: "closed", info };
  }
}

function takeAll(streams: Set<Stream>): readonly Stream[] {
  if (streams.size === 0) return NO_STREAMS;
  const taken = [...streams];
  streams.clear();
  return taken;
}

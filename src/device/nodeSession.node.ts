import { Emitter } from "#kernel/emitter.js";
import type { Address } from "#kernel/ports.js";
import type { CloseInfo } from "#transport/closing.js";
import type { ConnectionStats } from "#transport/connectionStats.js";
import { StreamDuplex } from "#transport/duplex.node.js";
import type { OpenStreamOptions, Session } from "#transport/session.js";
import type { SessionEvents } from "#transport/sessionEvents.js";
import type { SessionStream, WaitOptions } from "#transport/sessionStream.js";
import type { PeerSession } from "./channel.js";

/** The device at the other end, as its bond names it. */
export interface Peer {
  /** 16 hex digits: the same for ever. The name is only a label. */
  readonly id: string;
  readonly name: string;
  readonly platform: string;
}

export interface NodeSessionEvents extends Omit<SessionEvents, "stream"> {
  /** The peer has opened a stream. Who listens gets all of them here, and none from `incomingStreams`. */
  stream: readonly [StreamDuplex];
}

/** A session as Node programs like it: its streams are Duplex streams. Both ends have proved who they are. */
export class NodeSession extends Emitter<NodeSessionEvents> implements AsyncDisposable {
  readonly peer: Peer;
  /** The same session, whose streams have their other faces: promises, callbacks, web streams. Take incoming streams from one of the two. */
  readonly session: Session;
  readonly #passed = new Set<keyof NodeSessionEvents>();
  readonly #onStream = (stream: SessionStream): void => this.emit("stream", new StreamDuplex(stream, this.path));

  constructor({ session, bond, device }: PeerSession) {
    super();
    this.peer = { id: device, name: bond.name, platform: bond.platform };
    this.session = session;
  }

  /** Where the peer is now. */
  get path(): Address {
    return this.session.path;
  }

  /** Resolves, never rejects, when the session is over. */
  get closed(): Promise<CloseInfo> {
    return this.session.closed;
  }

  /**
   * A new stream; waits while the peer allows no more, or with `wait: false` throws StreamsExhaustedError.
   * `priority`: 0 (urgent) to 7. `unidirectional`: only we write.
   */
  async openStream(options: OpenStreamOptions = {}): Promise<StreamDuplex> {
    return new StreamDuplex(await this.session.openStream(options), this.path);
  }

  /** Streams that the peer opens, in order. Ends with the session. */
  async *incomingStreams(): AsyncGenerator<StreamDuplex> {
    for await (const stream of this.session.incomingStreams()) yield new StreamDuplex(stream, this.path);
  }

  /**
   * Unreliable message; false when it is larger than `maxDatagramSize` or the session is over.
   * `expires`: milliseconds after which it is thrown away if it has not left.
   */
  sendDatagram(bytes: Uint8Array, options: { readonly expires?: number } = {}): boolean {
    return this.session.sendDatagram(bytes, options);
  }

  get maxDatagramSize(): number {
    return this.session.maxDatagramSize;
  }

  /** Datagrams from the peer. Ends with the session. */
  datagrams(): AsyncIterable<Uint8Array> {
    return this.session.datagrams();
  }

  /** The same as a stream of the web, for one reader. */
  get readableDatagrams(): ReadableStream<Uint8Array> {
    return this.session.readableDatagrams;
  }

  /** Round trips, window, losses, packets, what flow control cost, the epoch: names and units in ConnectionStats. */
  stats(): ConnectionStats {
    return this.session.stats();
  }

  /** Fresh keys now; resolves when both ends use them. */
  rekey(options: WaitOptions = {}): Promise<{ readonly epoch: number }> {
    return this.session.rekey(options);
  }

  /** `length` bytes that only the two ends know, bound to `label`. */
  exportKey(label: string, length: number): Uint8Array {
    return this.session.exportKey(label, length);
  }

  override on<Name extends keyof NodeSessionEvents>(
    name: Name,
    listener: (...values: NodeSessionEvents[Name]) => unknown,
  ): this {
    super.on(name, listener);
    this.#passOn(name);
    return this;
  }

  /** Says goodbye at once; what was written and not yet delivered is lost. */
  abort(reason = ""): void {
    this.session.abort(reason);
  }

  /** Sends what was written (for two seconds at most), then says goodbye. */
  close(options: { readonly code?: number; readonly reason?: string } = {}): Promise<void> {
    return this.session.close(options);
  }

  override off<Name extends keyof NodeSessionEvents>(
    name: Name,
    listener: (...values: NodeSessionEvents[Name]) => unknown,
  ): this {
    super.off(name, listener);
    if (name === "stream" && !this.has(name) && this.#passed.delete(name)) this.session.off("stream", this.#onStream);
    return this;
  }

  /** Only what somebody wants to hear: a session that takes its streams from the iterator must not lose them to an event. */
  #passOn(name: keyof NodeSessionEvents): void {
    if (this.#passed.has(name)) return;
    this.#passed.add(name);
    if (name === "stream") this.session.on(name, this.#onStream);
    else this.session.on(name, (...values) => this.emit(name, ...values));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

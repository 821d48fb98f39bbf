import type { Crypto } from "#crypto/crypto.js";
import { hkdf } from "#crypto/hkdf.js";
import { concat, utf8 } from "#kernel/bytes.js";
import { Emitter } from "#kernel/emitter.js";
import { Gate } from "#kernel/gate.js";
import type { Address, Clock } from "#kernel/ports.js";
import type { CloseInfo } from "./closing.js";
import type { Connection } from "./connection.js";
import type { ConnectionEvent } from "./connectionEvents.js";
import type { ConnectionStats } from "./connectionStats.js";
import { TRANSPORT_ERROR } from "./errors.js";
import { SessionClosedError, StreamsExhaustedError } from "./sessionErrors.js";
import type { SessionEvents } from "./sessionEvents.js";
import type { SessionStream, WaitOptions } from "./sessionStream.js";
import { SessionStreams } from "./sessionStreams.js";
import { readableOfMessages } from "./webStreams.js";

const FLUSH_MS = 2000;
const RESOLVED = Promise.resolve();

export interface SessionOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly crypto: Crypto;
  /** Makes the pump send what a command left to send. */
  readonly turn: () => void;
  /** The exporter secret of the first epoch, 32 bytes. */
  readonly exporter: Uint8Array;
  /** The device this session belongs to. */
  readonly peerId: string;
}

export interface OpenStreamOptions {
  /** 0 (urgent) to 7; 5 if not said. */
  readonly priority?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Only we send on it. */
  readonly unidirectional?: boolean | undefined;
  /** False: throw StreamsExhaustedError instead of waiting while the peer allows no more. */
  readonly wait?: boolean | undefined;
}

/** One confirmed channel to one bonded device: what applications hold. */
export class Session extends Emitter<SessionEvents> implements AsyncDisposable {
  readonly peerId: string;
  /** Resolves, never rejects, when the session is over. */
  readonly closed: Promise<CloseInfo>;
  readonly #options: SessionOptions;
  readonly #connection: Connection;
  readonly #exporter: Uint8Array;
  readonly #streams: SessionStreams = new SessionStreams(this);
  readonly #changed = new Gate();
  #closeInfo: CloseInfo | undefined;
  #resolveClosed: (info: CloseInfo) => void = () => {};
  #readableDatagrams: ReadableStream<Uint8Array> | undefined;
  #wakePending = false;
  #suspicions = 0;
  readonly #onWake = (): void => {
    this.#wakePending = false;
    this.#options.turn();
  };

  constructor(options: SessionOptions) {
    super();
    this.peerId = options.peerId;
    this.#options = options;
    this.#connection = options.connection;
    this.#exporter = options.exporter;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  /** Set once the session is over. */
  get closeInfo(): CloseInfo | undefined {
    return this.#closeInfo;
  }

  /** Where the peer is now. */
  get path(): Address {
    return this.#connection.path;
  }

  get crowded(): boolean {
    return this.#connection.crowded;
  }

  /** A new stream; waits while the peer allows no more. When the signal aborts later, the stream is reset. */
  async openStream(options: OpenStreamOptions = {}): Promise<SessionStream> {
    const { signal, priority, unidirectional = false, wait = true } = options;
    for (;;) {
      signal?.throwIfAborted();
      this.#throwIfClosed();
      const stream = this.#connection.openStream(unidirectional, wait);
      if (stream) {
        if (priority !== undefined) stream.priority = priority;
        return this.#streams.opened(stream, signal);
      }
      if (!wait) throw new StreamsExhaustedError();
      await this.#leave(unidirectional, signal);
    }
  }

  override on<Name extends keyof SessionEvents>(
    name: Name,
    listener: (...values: SessionEvents[Name]) => unknown,
  ): this {
    super.on(name, listener);
    // Those that came before anybody listened; after the caller has done what it does.
    if (name === "stream") void RESOLVED.then(() => this.#handOver());
    return this;
  }

  /** Streams that the peer opens, in order. Ends with the session. */
  incomingStreams(): AsyncIterable<SessionStream> {
    return this.#streams.incoming;
  }

  /**
   * Unreliable message; false when it is too large or the session is over. It may be lost, never torn or doubled.
   * `expires`: milliseconds from now after which it is thrown away if it has not left, because nobody wants it any more.
   */
  sendDatagram(bytes: Uint8Array, options: { readonly expires?: number } = {}): boolean {
    const { expires = Number.POSITIVE_INFINITY } = options;
    const sent = this.#connection.sendDatagram(bytes.slice(), this.#options.clock.now() + expires);
    this.wake();
    return sent;
  }

  get maxDatagramSize(): number {
    return this.#connection.maxDatagramSize;
  }

  /** Datagrams from the peer. Ends with the session. */
  async *datagrams(): AsyncGenerator<Uint8Array> {
    // They wait in the connection's bounded queue until somebody asks: the oldest are lost, memory is not.
    for (;;) {
      const bytes = this.#connection.receiveDatagram();
      if (bytes) yield bytes;
      else if (this.#closeInfo) return;
      else await this.#changed.wait();
    }
  }

  /** The same as a stream of the web, for one reader. Built when first asked for. */
  get readableDatagrams(): ReadableStream<Uint8Array> {
    this.#readableDatagrams ??= readableOfMessages(() => this.datagrams());
    return this.#readableDatagrams;
  }

  /** Fresh keys from a fresh handshake inside the channel; resolves when both ends use them. */
  async rekey(options: WaitOptions = {}): Promise<{ readonly epoch: number }> {
    this.#throwIfClosed();
    const before = this.stats().epoch;
    this.#connection.rekey();
    this.wake();
    for (;;) {
      const { epoch } = this.stats();
      if (epoch > before) return { epoch };
      this.#throwIfClosed();
      await this.#changed.wait(options.signal);
    }
  }

  /** After "suspect": asks once more. True when the peer was heard from, false when two questions had no answer. */
  async stillThere(): Promise<boolean> {
    const before = this.#suspicions;
    if (this.#connection.suspect) this.#connection.ask(this.#options.clock.now());
    this.wake();
    while (this.#connection.suspect && !this.#closeInfo) {
      if (this.#suspicions > before) return false;
      await this.#changed.wait();
    }
    return this.#closeInfo === undefined;
  }

  /** `length` bytes that only the two ends of this session know, bound to `label` (RFC 5705's idea). */
  exportKey(label: string, length: number): Uint8Array {
    const info = concat(utf8("hf app "), utf8(label));
    return hkdf(this.#options.crypto, { salt: new Uint8Array(0), inputKey: this.#exporter, info, length });
  }

  stats(): ConnectionStats {
    return this.#connection.stats(this.#options.clock.now());
  }

  /** Sends what was written (for two seconds at most), then says goodbye. Resolves when the session is over. */
  async close(options: { readonly code?: number; readonly reason?: string } = {}): Promise<void> {
    if (!this.#closeInfo) {
      await this.#flush();
      this.#connection.close({ code: options.code ?? 0, reason: options.reason ?? "" }, this.#options.clock.now());
      this.wake();
    }
    await this.closed;
  }

  /** Says goodbye at once; what was written and not yet delivered is lost. */
  abort(reason = ""): void {
    this.#connection.close({ code: 0, reason }, this.#options.clock.now());
    this.wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Drains the connection's events. Called by whoever drives the pump. */
  progress(): void {
    for (let event = this.#connection.nextEvent(); event; event = this.#connection.nextEvent()) this.#onEvent(event);
  }

  /** Lets the pump turn once for all commands of this moment. */
  wake(): void {
    if (this.#wakePending) return;
    this.#wakePending = true;
    // Node's queueMicrotask makes an AsyncResource each time, for ten times the price.
    void RESOLVED.then(this.#onWake);
  }

  #onEvent(event: ConnectionEvent): void {
    switch (event.type) {
      case "stream":
        this.#streams.accept(event.stream);
        this.#handOver();
        break;
      case "readable":
      case "writable":
        this.#streams.notify(event.stream);
        break;
      case "settled":
        this.#streams.settle(event.stream);
        break;
      case "rekeyed":
        this.emit("rekeyed", { epoch: event.epoch });
        break;
      case "path":
        this.emit("path", event.address);
        break;
      case "suspect":
      case "answers":
        if (event.type === "suspect") this.#suspicions++;
        this.emit(event.type);
        break;
      case "resumed":
        this.emit("resumed", { hiddenMs: event.hiddenMs });
        break;
      case "closed":
        this.#onClosed(event.info);
        break;
      default:
    }
    this.#changed.open();
  }

  #onClosed(info: CloseInfo): void {
    this.#closeInfo = info;
    this.#streams.end();
    this.#resolveClosed(info);
    if (info.error?.transportCode === TRANSPORT_ERROR.REPLACED) this.emit("replaced");
    this.emit("closed", info);
  }

  #handOver(): void {
    while (this.has("stream")) {
      const stream = this.#streams.incoming.shift();
      if (!stream) return;
      this.emit("stream", stream);
    }
  }

  /** Waits until something changed that may have brought leave to open a stream. */
  async #leave(unidirectional: boolean, signal: AbortSignal | undefined): Promise<void> {
    this.wake();
    try {
      await this.#changed.wait(signal);
    } catch (error) {
      // Others that wait for the same look again, and say so again.
      this.#connection.stopWaiting(unidirectional);
      this.#changed.open();
      this.wake();
      throw error;
    }
  }

  async #flush(): Promise<void> {
    let late = false;
    const cancel = this.#options.clock.schedule(FLUSH_MS, () => {
      late = true;
      this.#changed.open();
    });
    while (!late && !this.#closeInfo && this.#streams.undelivered) await this.#changed.wait();
    cancel();
  }

  #throwIfClosed(): void {
    if (this.#closeInfo) throw new SessionClosedError(this.#closeInfo);
  }
}

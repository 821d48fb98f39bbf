import type { Address, Instant, OutgoingDatagram } from "#kernel/ports.js";
import { whatHoldsUp } from "./blockedFrames.js";
import { type Closing, GIVEN_UP } from "./closing.js";
import type { ConnectionEvent } from "./connectionEvents.js";
import type { ConnectionOptions } from "./connectionOptions.js";
import { type ConnectionParts, createParts } from "./connectionParts.js";
import { type ConnectionStats, Counters, partsStats } from "./connectionStats.js";
import { ConnectionTimers } from "./connectionTimers.js";
import { TRANSPORT_ERROR, TransportError } from "./errors.js";
import type { CloseFrame } from "./frames.js";
import { DEFAULT_MAX_DATAGRAM } from "./mtu.js";
import { Outcomes } from "./outcomes.js";
import { DATA_OVERHEAD, type OpenedPacket } from "./packet.js";
import { PacketReceiver } from "./packetReceiver.js";
import { PacketSender } from "./packetSender.js";
import { PacketWriter } from "./packetWriter.js";
import type { Stream } from "./stream.js";

/**
 * One keyed connection between two ends that have proved themselves: PROTOCOL.md §5 to §9.
 * Sans-IO: datagrams and the time come in, datagrams, deadlines and events come out.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #parts: ConnectionParts;
  readonly #writer: PacketWriter;
  readonly #sender: PacketSender;
  readonly #receiver: PacketReceiver;
  readonly #closing: Closing;
  readonly #timers: ConnectionTimers;
  readonly #outcomes: Outcomes;
  #confirmed: boolean;
  #held: boolean;
  readonly #counters = new Counters();

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const maxDatagram = Math.min(options.maxDatagram ?? DEFAULT_MAX_DATAGRAM, options.peer.maxUdpPayload);
    this.#parts = createParts(options, maxDatagram, (stream) => this.#onStreamChange(stream));
    this.#closing = this.#parts.closing;
    this.#writer = new PacketWriter(this.#parts);
    this.#sender = new PacketSender(options, this.#parts, this.#writer);
    this.#outcomes = new Outcomes(options, this.#parts, this.#writer, this.#sender, this.#counters, maxDatagram);
    this.#timers = new ConnectionTimers(options, this.#parts, this.#sender, this.#outcomes);
    this.#receiver = new PacketReceiver(options, this.#parts, this.#writer, this.#outcomes, this.#counters);
    this.#confirmed = options.role === "initiator";
    this.#held = options.held === true;
    if (this.#confirmed) this.#counters.handshakeMs = options.now - (options.dialledAt ?? options.now);
    // PROTOCOL.md §2: the initiator's first data packet confirms the keys, so it goes out even when there is nothing to say.
    this.#parts.due.ping = this.#confirmed;
  }

  /** The peer has proved that it holds the keys. The responder sends nothing before. */
  get confirmed(): boolean {
    return this.#confirmed;
  }

  /** Neither end has begun to close it. */
  get open(): boolean {
    return this.#closing.open;
  }

  get closed(): boolean {
    return this.#closing.over;
  }

  get closedByPeer(): boolean {
    return this.#closing.info?.remote === true;
  }

  /** What we send takes its full share of memory: write no more than is sent. */
  get crowded(): boolean {
    return !this.#parts.memory.sending.fits(0);
  }

  get path(): Address {
    return this.#parts.path.current;
  }

  /** Largest datagram payload `sendDatagram` takes; 0 when the peer takes none. */
  get maxDatagramSize(): number {
    return Math.max(0, Math.min(this.#options.peer.maxDatagram, this.#parts.mtu.current - DATA_OVERHEAD - 8));
  }

  /** Takes one UDP datagram. True when it was authentic. */
  receive(datagram: Uint8Array, from: Address, now: Instant): boolean {
    if (this.#closing.over) return false;
    try {
      const packet = this.#receiver.open(datagram, from, this.#closing.open, now);
      if (!packet) return false;
      if (this.#closing.open) this.#onAuthentic(packet, datagram, from, now);
      else this.#closing.onPacketWhileClosing();
    } catch (error) {
      this.#fail(error, now);
    }
    return true;
  }

  tick(now: Instant): void {
    this.#closing.tick(now);
    if (!this.#closing.open) return;
    if (this.#timers.silent(now)) {
      this.abort(new TransportError(TRANSPORT_ERROR.IDLE, "Nothing was heard from the other side for too long."));
      return;
    }
    try {
      this.#timers.tick(now, this.#keepAlive);
      this.#syncRekey();
    } catch (error) {
      this.#fail(error, now);
    }
  }

  get deadline(): Instant | undefined {
    if (!this.#closing.open) return this.#closing.deadline;
    if (this.#held) return undefined;
    return this.#timers.deadline(this.#keepAlive);
  }

  nextDatagram(now: Instant): OutgoingDatagram | undefined {
    if (this.#held || !this.#confirmed) return undefined;
    if (this.#closing.open) {
      const datagram = this.#sender.pathDatagram(now) ?? this.#sender.mtuProbe(now) ?? this.#sender.dataDatagram(now);
      this.#outcomes.tellOfPath(now);
      if (!datagram) {
        const why = whatHoldsUp(this.#parts, this.#writer.ready !== undefined, this.#sender.open);
        this.#parts.blocked.look(why, this.#parts.recovery.ptoBase, now);
      }
      return datagram;
    }
    this.#parts.blocked.look(undefined, 0, now);
    const frame = this.#closing.take();
    return frame ? this.#sender.closeDatagram(frame, now) : undefined;
  }

  nextEvent(): ConnectionEvent | undefined {
    const { events, streams } = this.#parts;
    const event = events.next(streams, this.#closing.info);
    if (event?.type === "closed") this.#options.log?.closed(event.info);
    return event;
  }

  /** A new stream, or undefined while the peer allows no more. `waits`: it is to hear of that; "streamsAvailable" tells when. */
  openStream(unidirectional = false, waits = true): Stream | undefined {
    if (!this.#closing.open) return undefined;
    const stream = this.#parts.streams.open(unidirectional, waits);
    // It has to be said that somebody waits, also when nothing else happens.
    if (!stream && waits) this.#options.onWork?.();
    return stream;
  }

  /** Nobody waits any longer for leave to open such a stream. */
  stopWaiting(unidirectional: boolean): void {
    this.#parts.streams.stopWaiting(unidirectional);
    this.#options.onWork?.();
  }

  /** False when it is larger than `maxDatagramSize`, or the connection is closed. Thrown away if it has not left before `expiresAt`. */
  sendDatagram(bytes: Uint8Array, expiresAt?: Instant): boolean {
    if (!this.#closing.open || bytes.length > this.maxDatagramSize) return false;
    this.#parts.datagramsOut.push(bytes, expiresAt);
    this.#options.onWork?.();
    return true;
  }

  receiveDatagram(): Uint8Array | undefined {
    return this.#parts.datagramsIn.shift();
  }

  /** Asks for fresh keys; a "rekeyed" event tells when both ends use them. */
  rekey(): void {
    this.#options.rekey.request();
    this.#syncRekey();
    this.#options.onWork?.();
  }

  /** Our own network changed: from now on under a connection ID that nobody has seen, if the peer is still there. */
  networkChanged(now: Instant): void {
    this.#parts.cids.change();
    this.#parts.path.verify(now);
    this.#options.log?.path("networkChanged", this.path, now);
    this.#outcomes.onPathMoved(false, now);
    this.#options.onWork?.();
  }

  /** Nothing was heard from where the peer was, although it was asked. */
  get suspect(): boolean {
    return this.#parts.path.suspect;
  }

  /** Asks the peer at its address; "answers" or "suspect" follows if it is suspect. */
  ask(now: Instant): void {
    this.#parts.path.verify(now);
    this.#options.onWork?.();
  }

  /**
   * The device slept. What was due meanwhile was nobody's fault: silence is counted from now, keys have aged by `hiddenMs`
   * (time during which `now` stood still), and at `askAt` the peer is asked whether it is still there.
   */
  resume(now: Instant, hiddenMs: number, askAt: Instant): void {
    if (!this.#closing.open || !this.#confirmed) return;
    this.#parts.idle.onReceived(now);
    this.#options.rekey.age(hiddenMs, now);
    this.#parts.path.verify(askAt);
    this.#options.log?.resumed(hiddenMs, now);
    this.#parts.events.push({ type: "resumed", hiddenMs });
    this.#options.onWork?.();
  }

  /** Orderly end with an application's code and reason (at most 256 bytes of UTF-8). */
  close(input: { readonly code: number; readonly reason: string; readonly application?: boolean }, now: Instant): void {
    const frame: CloseFrame = { application: input.application ?? true, code: input.code, reason: input.reason };
    const error = frame.application || frame.code === 0 ? undefined : new TransportError(frame.code, frame.reason);
    this.#closing.start(frame, error, now, this.#parts.recovery.ptoBase);
    this.#options.onWork?.();
  }

  /** It was made `held`: it may send from now on. */
  release(): void {
    this.#held = false;
    this.#options.onWork?.();
  }

  /** Ends it if it is still held: the peer never hears of it. */
  discardHeld(): void {
    if (this.#held) this.abort(new TransportError(TRANSPORT_ERROR.NO_ERROR, "The connection was given up."));
  }

  /** The end without a word to the peer. */
  abort(error: TransportError): void {
    this.#closing.abandon(error);
    this.#options.onWork?.();
  }

  /** Its endpoint has forgotten it: memory goes back, but for what the application can still read. */
  discard(): void {
    // Nobody will hear of the end of what never began, or of a device that shuts down.
    if (!this.#parts.events.ended) this.#options.log?.closed(this.#closing.info ?? GIVEN_UP);
    const { streams, datagramsOut, memory } = this.#parts;
    streams.discard();
    datagramsOut.clear();
    memory.receiving.abandon();
    memory.sending.abandon();
  }

  stats(now: Instant): ConnectionStats {
    const { rekey } = this.#options;
    const epoch = { epoch: rekey.epoch, epochAgeMs: rekey.ageMs(now), bytesResent: this.#writer.bytesResent };
    return { ...this.#counters, ...this.#sender.sent, ...partsStats(this.#parts, now), ...epoch };
  }

  get #keepAlive(): boolean {
    return this.#confirmed && (this.#options.keepAlive === true || this.#parts.streams.size > 0);
  }

  #onAuthentic(packet: OpenedPacket, datagram: Uint8Array, from: Address, now: Instant): void {
    this.#parts.idle.onReceived(now);
    if (!this.#confirmed) {
      this.#confirmed = true;
      this.#counters.handshakeMs = now - this.#options.now;
      this.#parts.cids.offer();
      this.#parts.events.push({ type: "confirmed" });
    }
    this.#options.rekey.onPacketOpened(packet.epoch, datagram.length, now, this.#parts.recovery.ptoBase);
    this.#receiver.take(packet, datagram, from, now);
    this.#options.log?.metrics(this.#parts.congestion.state, () => this.stats(now), now);
    this.#syncRekey();
  }

  #onStreamChange(stream: Stream): void {
    const { receiveWindow, due, streams } = this.#parts;
    receiveWindow.onConsumed(stream.receiving?.takeReleased() ?? 0);
    if (receiveWindow.updateDue) due.maxData = true;
    this.#writer.noteStream(stream);
    streams.forgetIfSettled(stream);
    this.#options.onWork?.();
  }

  #syncRekey(): void {
    const { rekey } = this.#options;
    const { crypto, due } = this.#parts;
    for (let bytes = rekey.takeCrypto(); bytes; bytes = rekey.takeCrypto()) crypto.sending.write(bytes);
    due.rekeyRequest = rekey.takeRekeyRequest() ?? due.rekeyRequest;
    for (let event = rekey.nextEvent(); event; event = rekey.nextEvent()) this.#parts.events.push(event);
    if (rekey.takePing()) due.ping = true;
  }

  /** Breaking the rules ends the connection; any other error is one of ours. */
  #fail(error: unknown, now: Instant): void {
    if (!(error instanceof TransportError)) throw error;
    const { transportCode: code, message: reason } = error;
    this.#closing.start({ application: false, code, reason }, error, now, this.#parts.recovery.ptoBase);
  }
}

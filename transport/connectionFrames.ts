import type { Address, Instant } from "#kernel/ports.js";
import type { ConnectionEvent } from "./connectionEvents.js";
import type { ConnectionLog } from "./connectionLog.js";
import type { ConnectionParts } from "./connectionParts.js";
import { TRANSPORT_ERROR, TransportError } from "./errors.js";
import type { AckFrame, AckFrequency, CloseFrame, FrameSink } from "./frames.js";
import type { PacketWriter } from "./packetWriter.js";
import type { Proof } from "./pathValidation.js";
import type { ReceiveSide } from "./receiveSide.js";
import type { SentPacket } from "./sentPacket.js";
import type { Stream } from "./stream.js";
import { takeAll } from "./takeAll.js";

const MAX_PATH_RESPONSES = 4;

/** What only the connection itself can do about a frame. */
export interface FrameHooks {
  onCrypto(bytes: Uint8Array): void;
  onRekeyRequest(epoch: number): void;
  onClose(frame: CloseFrame, now: Instant): void;
  onDelivery(acked: readonly SentPacket[], now: Instant): void;
  onLoss(lost: readonly SentPacket[], now: Instant): void;
  readonly maxDatagramFrame: number;
  readonly log: ConnectionLog | undefined;
}

/** Acts on the frames of an authentic packet. */
export class ConnectionFrames implements FrameSink {
  readonly #parts: ConnectionParts;
  readonly #writer: PacketWriter;
  readonly #events: ConnectionEvent[];
  readonly #hooks: FrameHooks;
  /** Streams with something new for their reader. */
  readonly #readable = new Set<Stream>();
  #from: Address = { host: "", port: 0 };
  #size = 0;
  #challenged = false;
  #now: Instant = 0;
  #ackNow = false;
  #proved = true;
  #proof: Proof | undefined;

  constructor(parts: ConnectionParts, writer: PacketWriter, events: ConnectionEvent[], hooks: FrameHooks) {
    this.#parts = parts;
    this.#writer = writer;
    this.#events = events;
    this.#hooks = hooks;
  }

  /** Before the first frame of a packet in a datagram of `size` bytes. */
  begin(from: Address, size: number, now: Instant): void {
    this.#from = from;
    this.#size = size;
    this.#challenged = false;
    this.#now = now;
    this.#proved = this.#parts.arrivals.proved(from);
  }

  /** After the last frame of the packet: tells what changed. */
  finish(now: Instant, onPathMoved: (sameHost: boolean, now: Instant) => void): void {
    for (let stream = this.#parts.streams.accept(); stream; stream = this.#parts.streams.accept())
      this.#events.push({ type: "stream", stream });
    if (this.#ackNow) this.#parts.acks.expedite(now);
    this.#ackNow = false;
    if (!this.#proof) return;
    const { moved, roundTripMs } = this.#proof;
    this.#proof = undefined;
    if (moved) {
      this.#hooks.log?.path("moved", moved.address, now);
      onPathMoved(moved.sameHost, now);
      this.#events.push({ type: "path", address: moved.address });
      this.#parts.acks.expedite(now);
    }
    if (roundTripMs !== undefined) this.#parts.rtt.guess(roundTripMs);
  }

  /** Streams to tell the application of, once each however many packets they came in. */
  takeReadable(): readonly Stream[] {
    return takeAll(this.#readable);
  }

  onAck(frame: AckFrame): void {
    const { acked, lost, late } = this.#parts.recovery.onAck(frame, this.#now, this.#proved);
    this.#writer.onAcked(late);
    if (this.#hooks.log) for (const { number } of late) this.#hooks.log.spuriousLoss(number, this.#now);
    this.#writer.onAcked(acked);
    this.#hooks.onDelivery(acked, this.#now);
    this.#hooks.onLoss(lost, this.#now);
  }

  onStream(id: number, offset: number, data: Uint8Array, fin: boolean): void {
    const stream = this.#parts.streams.forReceiving(id);
    const side = stream?.receiving;
    if (!stream || !side) return;
    const before = side.available;
    this.#count(side.onData(offset, data, fin));
    if (side.available > before || side.complete) this.#readable.add(stream);
    // Bytes that only wait for their reader change nothing else.
    if (!fin && !side.complete && !side.stopped) return;
    this.#release(side);
    this.#settle(stream);
  }

  onResetStream(id: number, code: number, finalSize: number): void {
    const stream = this.#parts.streams.forReceiving(id);
    const side = stream?.receiving;
    if (!stream || !side) return;
    this.#count(side.onReset(code, finalSize));
    this.#release(side);
    this.#readable.add(stream);
    this.#settle(stream);
  }

  /** RFC 9000 §3.5: the answer to STOP_SENDING is a reset with the same code. */
  onStopSending(id: number, code: number): void {
    const stream = this.#parts.streams.forSending(id);
    if (!stream) return;
    stream.sending?.reset(code);
    this.#writer.writable.add(stream);
    this.#writer.noteStream(stream);
  }

  onMaxData(limit: number): void {
    this.#parts.sendCredit.raise(limit);
  }

  onMaxStreamData(id: number, limit: number): void {
    const stream = this.#parts.streams.forSending(id);
    stream?.sending?.raiseLimit(limit);
    if (stream) this.#writer.noteStream(stream);
  }

  onMaxStreams(unidirectional: boolean, limit: number): void {
    if (this.#parts.streams.raiseLimit(unidirectional, limit)) this.#events.push({ type: "streamsAvailable" });
  }

  /** RFC 9000 §4.1: if the peer's limit is an old one, the new one was lost, or went to where the peer was before. */
  onDataBlocked(id: number | undefined, limit: number): void {
    const { receiveWindow, due, streams } = this.#parts;
    if (id === undefined) {
      if (receiveWindow.limit > limit) due.maxData = true;
      return;
    }
    const stream = streams.forReceiving(id);
    const window = stream?.receiving?.window;
    if (!stream || !window || window.limit <= limit) return;
    window.repeat();
    this.#writer.noteStream(stream);
  }

  onStreamsBlocked(unidirectional: boolean, limit: number): void {
    this.#parts.streams.onPeerBlocked(unidirectional, limit);
  }

  onCrypto(offset: number, data: Uint8Array): void {
    const bytes = this.#parts.crypto.receive(offset, data);
    if (bytes) this.#hooks.onCrypto(bytes);
  }

  onRekeyRequest(epoch: number): void {
    this.#hooks.onRekeyRequest(epoch);
  }

  onImmediateAck(): void {
    this.#ackNow = true;
  }

  onAckFrequency(frequency: AckFrequency): void {
    this.#parts.acks.onFrequency(frequency);
  }

  onPathChallenge(token: Uint8Array): void {
    const { pathResponses } = this.#parts.due;
    // One for each datagram: an answer of full size for every nine bytes would make us a weapon.
    if (this.#challenged || pathResponses.length === MAX_PATH_RESPONSES) return;
    this.#challenged = true;
    pathResponses.push({ token: token.slice(), to: this.#from, received: this.#size });
  }

  onPathResponse(token: Uint8Array): void {
    this.#proof = this.#parts.path.onResponse(token, this.#from, this.#now) ?? this.#proof;
  }

  onNewConnectionId(sequence: number, retirePrior: number, cid: Uint8Array, token: Uint8Array): void {
    this.#parts.cids.onNew(sequence, retirePrior, cid, token);
  }

  onRetireConnectionId(sequence: number): void {
    this.#parts.cids.onRetire(sequence);
  }

  onClose(frame: CloseFrame): void {
    this.#hooks.onClose(frame, this.#now);
  }

  onDatagram(data: Uint8Array): void {
    if (data.length > this.#hooks.maxDatagramFrame)
      throw new TransportError(TRANSPORT_ERROR.PROTOCOL_VIOLATION, "The peer sent a larger datagram than it may.");
    const first = this.#parts.datagramsIn.size === 0;
    this.#parts.datagramsIn.push(data.slice());
    if (first) this.#events.push({ type: "datagram" });
  }

  #count(fresh: number): void {
    this.#parts.receiveWindow.onReceived(this.#parts.receiveWindow.highest + fresh);
  }

  #release(side: ReceiveSide): void {
    this.#parts.receiveWindow.onConsumed(side.takeReleased());
    if (this.#parts.receiveWindow.updateDue) this.#parts.due.maxData = true;
  }

  #settle(stream: Stream): void {
    this.#writer.noteStream(stream);
    this.#parts.streams.forgetIfSettled(stream);
  }
}

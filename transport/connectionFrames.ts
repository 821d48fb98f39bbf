import type { Address, Instant } from "#kernel/ports.js";
import type { ConnectionOptions } from "./connectionOptions.js";
import type { ConnectionParts } from "./connectionParts.js";
import { TRANSPORT_ERROR, TransportError } from "./errors.js";
import type { AckFrame, AckFrequency, CloseFrame, FrameSink } from "./frames.js";
import type { Outcomes } from "./outcomes.js";
import type { PacketWriter } from "./packetWriter.js";
import type { Proof } from "./pathValidation.js";
import type { ReceiveSide } from "./receiveSide.js";
import type { Stream } from "./stream.js";

const MAX_PATH_RESPONSES = 4;

/** Acts on the frames of an authentic packet. */
export class ConnectionFrames implements FrameSink {
  readonly #options: ConnectionOptions;
  readonly #parts: ConnectionParts;
  readonly #writer: PacketWriter;
  readonly #outcomes: Outcomes;
  #from: Address = { host: "", port: 0 };
  #size = 0;
  #challenged = false;
  #now: Instant = 0;
  #ackNow = false;
  #proved = true;
  #proof: Proof | undefined;

  constructor(options: ConnectionOptions, parts: ConnectionParts, writer: PacketWriter, outcomes: Outcomes) {
    this.#options = options;
    this.#parts = parts;
    this.#writer = writer;
    this.#outcomes = outcomes;
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
  finish(now: Instant): void {
    for (let stream = this.#parts.streams.accept(); stream; stream = this.#parts.streams.accept())
      this.#parts.events.push({ type: "stream", stream });
    if (this.#ackNow) this.#parts.acks.expedite(now);
    this.#ackNow = false;
    if (!this.#proof) return;
    const { moved, roundTripMs } = this.#proof;
    this.#proof = undefined;
    if (moved) {
      this.#options.log?.path("moved", moved.address, now);
      this.#outcomes.onPathMoved(moved.sameHost, now);
      this.#parts.events.push({ type: "path", address: moved.address });
      this.#parts.acks.expedite(now);
    }
    if (roundTripMs !== undefined) this.#parts.rtt.guess(roundTripMs);
  }

  onAck(frame: AckFrame): void {
    const { acked, lost, late } = this.#parts.recovery.onAck(frame, this.#now, this.#proved);
    this.#writer.onAcked(late);
    if (this.#options.log) for (const { number } of late) this.#options.log.spuriousLoss(number, this.#now);
    this.#writer.onAcked(acked);
    this.#outcomes.onDelivery(acked, this.#now);
    this.#outcomes.onLoss(lost, this.#now);
  }

  onStream(id: number, offset: number, data: Uint8Array, fin: boolean): void {
    const stream = this.#parts.streams.forReceiving(id);
    const side = stream?.receiving;
    if (!stream || !side) return;
    const before = side.available;
    this.#count(side.onData(offset, data, fin));
    if (side.available > before || side.complete) this.#parts.events.readable.add(stream);
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
    this.#parts.events.readable.add(stream);
    this.#settle(stream);
  }

  /** RFC 9000 §3.5: the answer to STOP_SENDING is a reset with the same code. */
  onStopSending(id: number, code: number): void {
    const stream = this.#parts.streams.forSending(id);
    if (!stream) return;
    stream.sending?.reset(code);
    this.#parts.events.writable.add(stream);
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
    if (this.#parts.streams.raiseLimit(unidirectional, limit)) this.#parts.events.push({ type: "streamsAvailable" });
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
    if (bytes) this.#options.rekey.onCrypto(bytes);
  }

  onRekeyRequest(epoch: number): void {
    this.#options.rekey.onRekeyRequest(epoch);
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
    this.#parts.closing.onPeerClose(frame, this.#now, this.#parts.recovery.ptoBase);
  }

  onDatagram(data: Uint8Array): void {
    if (data.length > this.#options.local.maxDatagram)
      throw new TransportError(TRANSPORT_ERROR.PROTOCOL_VIOLATION, "The peer sent a larger datagram than it may.");
    const first = this.#parts.datagramsIn.size === 0;
    this.#parts.datagramsIn.push(data.slice());
    if (first) this.#parts.events.push({ type: "datagram" });
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

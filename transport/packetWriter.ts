import type { Instant } from "#kernel/ports.js";
import { type ByteWriter, varintLength } from "#kernel/varint.js";
import { writeBlocked } from "./blockedFrames.js";
import type { ConnectionParts } from "./connectionParts.js";
import { FRAME } from "./frames.js";
import { DATA_OVERHEAD } from "./packet.js";
import type { SentFrame, SentPacket } from "./sentPacket.js";
import { type Stream, WRITE_LOW_WATER } from "./stream.js";
import { numbersLength, streamHeaderRoom, writeAck, writeNumbers, writeStreamHeader } from "./writeFrames.js";

/** A few bytes at the end of a packet cost the peer more than they bring; a packet of their own will carry them. */
const MIN_STREAM_ROOM: number = streamHeaderRoom(0, 0) + 32;
const MAX_CID_FRAME = 64;

type StreamFrame = Extract<SentFrame, { kind: "stream" }>;

/** Fills packets with frames: keys first, then control, datagrams, streams by priority. */
export class PacketWriter {
  readonly #parts: ConnectionParts;
  bytesResent = 0;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
  }

  /** True when an ack-eliciting packet would have something to say. `restricted`: only keys may be spoken of. */
  hasWork(restricted: boolean): boolean {
    const { crypto, due, datagramsOut } = this.#parts;
    if (crypto.sending.unsent > 0 || crypto.sending.hasLost || due.ping || due.rekeyRequest !== undefined) return true;
    if (restricted) return false;
    return this.ready !== undefined || datagramsOut.size > 0 || this.#controlDue;
  }

  /** The stream that may send now, by its own credit and the connection's. */
  get ready(): Stream | undefined {
    return this.#parts.sendQueue.next(this.#parts.sendCredit.available);
  }

  get #controlDue(): boolean {
    const { due, cids, streams } = this.#parts;
    if (due.maxData || due.blocked || due.ackFrequency !== undefined || cids.due) return true;
    return streams.grantDue(false) || streams.grantDue(true) || this.#controlStreams.size > 0;
  }

  /** The stream whose turn it is has more to send, perhaps not now, than one of today's packets holds. */
  get fillsPackets(): boolean {
    const { sendQueue, mtu } = this.#parts;
    return (sendQueue.next(Number.POSITIVE_INFINITY)?.unsent ?? 0) > mtu.current;
  }

  writeAck(out: ByteWriter, frames: SentFrame[], now: Instant): void {
    const { acks } = this.#parts;
    writeAck(out, acks.ranges(), acks.delay(now));
    frames.push({ kind: "ack", largest: acks.largest });
    acks.onSent();
  }

  /** Writes ack-eliciting frames until the packet is full or nothing is left. */
  fill(out: ByteWriter, frames: SentFrame[], restricted: boolean, now: Instant): void {
    const start = out.offset;
    this.#crypto(out, frames);
    this.#rekeyRequest(out, frames);
    if (!restricted) {
      if (this.#controlDue) {
        this.#control(out, frames, now);
        this.#streamControl(out, frames, now);
      }
      this.#datagrams(out, now);
      this.#streams(out, frames);
    }
    if (this.#parts.due.ping && out.offset === start) out.u8(FRAME.PING);
    if (out.offset > start) this.#parts.due.ping = false;
  }

  #crypto(out: ByteWriter, frames: SentFrame[]): void {
    const { sending } = this.#parts.crypto;
    if (sending.unsent === 0 && !sending.hasLost) return;
    const run = sending.next(out.remaining - 1 - 8 - 2, Number.POSITIVE_INFINITY);
    if (!run) return;
    writeNumbers(out, FRAME.CRYPTO, run.offset, run.length);
    sending.copy(run.offset, run.length, out);
    frames.push({ kind: "crypto", ...run });
  }

  #rekeyRequest(out: ByteWriter, frames: SentFrame[]): void {
    const { due } = this.#parts;
    if (due.rekeyRequest === undefined) return;
    writeNumbers(out, FRAME.REKEY_REQUEST, due.rekeyRequest);
    frames.push({ kind: "rekeyRequest", epoch: due.rekeyRequest });
    due.rekeyRequest = undefined;
  }

  #control(out: ByteWriter, frames: SentFrame[], now: Instant): void {
    const { due, receiveWindow, streams, rtt } = this.#parts;
    this.#cids(out, frames);
    if (due.ackFrequency) {
      const { sequence, threshold, maxDelayMs, reordering } = due.ackFrequency;
      writeNumbers(out, FRAME.ACK_FREQUENCY, sequence, threshold, Math.round(maxDelayMs * 1000), reordering);
      frames.push({ kind: "ackFrequency", frequency: due.ackFrequency });
      due.ackFrequency = undefined;
    }
    if (due.maxData) {
      writeNumbers(out, FRAME.MAX_DATA, receiveWindow.announce(now, rtt.smoothed));
      frames.push({ kind: "maxData" });
      due.maxData = false;
    }
    if (due.blocked) writeBlocked(out, this.#parts);
    due.blocked = false;
    for (const unidirectional of [false, true]) {
      if (!streams.grantDue(unidirectional)) continue;
      const type = unidirectional ? FRAME.MAX_STREAMS_UNI : FRAME.MAX_STREAMS_BIDI;
      writeNumbers(out, type, streams.grant(unidirectional));
      frames.push({ kind: "maxStreams", unidirectional });
    }
  }

  #cids(out: ByteWriter, frames: SentFrame[]): void {
    const { cids } = this.#parts;
    while (cids.due && out.remaining >= MAX_CID_FRAME) {
      const fresh = cids.takeAnnouncement();
      const sequence = fresh?.sequence ?? cids.takeRetirement() ?? 0;
      writeNumbers(out, fresh ? FRAME.NEW_CONNECTION_ID : FRAME.RETIRE_CONNECTION_ID, sequence);
      if (fresh) {
        out.varint(fresh.retirePrior);
        out.put(fresh.cid);
        out.put(fresh.token);
      }
      frames.push({ kind: fresh ? "newCid" : "retireCid", sequence });
    }
  }

  /** Streams with a RESET_STREAM, STOP_SENDING or MAX_STREAM_DATA to send. */
  readonly #controlStreams = new Set<Stream>();

  /** Call when a stream changed: it may have something to say now, or nothing any more. */
  noteStream(stream: Stream): void {
    const { sending, receiving } = stream;
    this.#parts.sendQueue.update(stream);
    this.#parts.blocked.note(stream);
    if (sending?.resetDue || receiving?.stopDue !== undefined || receiving?.wantsCredit)
      this.#controlStreams.add(stream);
  }

  #streamControl(out: ByteWriter, frames: SentFrame[], now: Instant): void {
    for (const stream of this.#controlStreams) {
      if (out.remaining < 3 * numbersLength(3)) return;
      this.#controlStreams.delete(stream);
      const { id, sending, receiving } = stream;
      if (sending?.resetDue) {
        writeNumbers(out, FRAME.RESET_STREAM, id, sending.resetCode ?? 0, sending.finalSize);
        sending.onResetSent();
        frames.push({ kind: "resetStream", id });
      }
      if (receiving?.stopDue !== undefined) {
        writeNumbers(out, FRAME.STOP_SENDING, id, receiving.stopDue);
        receiving.onStopSent();
        frames.push({ kind: "stopSending", id });
      }
      if (receiving?.wantsCredit) {
        writeNumbers(out, FRAME.MAX_STREAM_DATA, id, receiving.window.announce(now, this.#parts.rtt.smoothed));
        frames.push({ kind: "maxStreamData", id });
      }
    }
  }

  #datagrams(out: ByteWriter, now: Instant): void {
    const { datagramsOut, mtu } = this.#parts;
    for (let next = datagramsOut.peek(now); next; next = datagramsOut.peek(now)) {
      const length = 1 + varintLength(next.length) + next.length;
      if (length > out.remaining && length <= mtu.current - DATA_OVERHEAD) return;
      datagramsOut.shift();
      // Packets have become smaller since it was accepted: it would wait for ever.
      if (length > out.remaining) {
        datagramsOut.dropped++;
        continue;
      }
      writeNumbers(out, FRAME.DATAGRAM_WITH_LENGTH, next.length);
      out.put(next);
    }
  }

  #streams(out: ByteWriter, frames: SentFrame[]): void {
    const { sendQueue, sendCredit } = this.#parts;
    while (out.remaining >= MIN_STREAM_ROOM) {
      const stream = this.ready;
      if (!stream?.sending) return;
      const header = streamHeaderRoom(stream.id, out.remaining);
      const run = stream.sending.next(out.remaining - header, sendCredit.available);
      if (!run) return;
      writeStreamHeader(out, stream.id, run.offset, run.length, run.fin);
      const waiting = stream.unsent;
      const fresh = stream.sending.copy(run, out);
      sendCredit.use(fresh);
      this.bytesResent += run.length - fresh;
      if (stream.unsent === 0 || (waiting >= WRITE_LOW_WATER && stream.unsent < WRITE_LOW_WATER))
        this.#parts.events.writable.add(stream);
      frames.push({ kind: "stream", id: stream.id, offset: run.offset, length: run.length, fin: run.fin });
      sendQueue.onSent(stream, run.length);
      this.noteStream(stream);
    }
  }

  /** What was in acknowledged packets has arrived. Runs of a stream that follow each other are one run to it. */
  onAcked(packets: readonly SentPacket[]): void {
    let run: StreamFrame | undefined;
    for (const { frames } of packets)
      for (const frame of frames) {
        if (frame.kind !== "stream") this.#onFrameAcked(frame);
        else if (run?.id === frame.id && run.offset + run.length === frame.offset)
          run = { ...frame, offset: run.offset, length: run.length + frame.length };
        else {
          if (run) this.#onRunAcked(run);
          run = frame;
        }
      }
    if (run) this.#onRunAcked(run);
  }

  #onRunAcked(run: StreamFrame): void {
    const stream = this.#parts.streams.get(run.id);
    if (!stream) return;
    stream.sending?.onAcked(run);
    if (stream.sending?.settled) this.#parts.events.writable.add(stream);
    this.#parts.streams.forgetIfSettled(stream);
  }

  #onFrameAcked(frame: SentFrame): void {
    const { streams, crypto, acks, cids } = this.#parts;
    if (frame.kind === "crypto") crypto.sending.onAcked(frame.offset, frame.length);
    else if (frame.kind === "newCid") cids.onAnnouncementAcked(frame.sequence);
    else if (frame.kind === "ack") acks.onAckAcked(frame.largest);
    else if (frame.kind === "resetStream") {
      const stream = streams.get(frame.id);
      stream?.sending?.onResetAcked();
      if (stream) streams.forgetIfSettled(stream);
    }
  }

  /** What was in a lost packet is said again, if it still matters (RFC 9000 §13.3). */
  onLost(frames: readonly SentFrame[]): void {
    const { streams, crypto, due } = this.#parts;
    for (const frame of frames) {
      if ("id" in frame) this.#onStreamFrameLost(frame);
      else if (frame.kind === "crypto") crypto.sending.onLost(frame.offset, frame.length);
      else if (frame.kind === "maxData") due.maxData = true;
      else if (frame.kind === "newCid") this.#parts.cids.onAnnouncementLost(frame.sequence);
      else if (frame.kind === "retireCid") this.#parts.cids.onRetirementLost(frame.sequence);
      else if (frame.kind === "maxStreams") streams.onGrantLost(frame.unidirectional);
      else if (frame.kind === "rekeyRequest") due.rekeyRequest = Math.max(due.rekeyRequest ?? 0, frame.epoch);
      else if (frame.kind === "ackFrequency") due.ackFrequency ??= frame.frequency;
    }
  }

  #onStreamFrameLost(frame: Extract<SentFrame, { id: number }>): void {
    const stream = this.#parts.streams.get(frame.id);
    if (!stream) return;
    if (frame.kind === "stream") stream.sending?.onLost(frame);
    else if (frame.kind === "resetStream") stream.sending?.onResetLost();
    else if (frame.kind === "stopSending") stream.receiving?.onStopLost();
    else if (frame.kind === "maxStreamData") stream.receiving?.window.repeat();
    this.noteStream(stream);
  }
}

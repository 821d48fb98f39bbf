import { type Address, type Instant, type OutgoingDatagram, sameAddress } from "#kernel/ports.js";
import { ByteWriter } from "#kernel/varint.js";
import type { ConnectionOptions } from "./connectionOptions.js";
import type { ConnectionParts } from "./connectionParts.js";
import { type AckFrequency, type CloseFrame, FRAME } from "./frames.js";
import { BASE_DATAGRAM } from "./mtu.js";
import { DATA_HEADER, DATA_OVERHEAD, MIN_PACKET, TAG } from "./packet.js";
import type { PacketWriter } from "./packetWriter.js";
import { paddedEnd } from "./padding.js";
import type { SentFrame } from "./sentPacket.js";
import { writeClose } from "./writeFrames.js";

const PATH_DATAGRAM = BASE_DATAGRAM;
/** When so many probe timeouts have passed, large packets may be what does not get through. */
const SMALL_PROBES_AFTER = 2;
/** The first packet number is left out among so many; the next ones among twice as many each (RFC 9000 §21.4). */
const FIRST_SKIP = 256;
const RAREST_SKIP = 128 * 1024;
const NO_FRAMES: readonly SentFrame[] = [];
const NO_BYTES = new Uint8Array(0);
/** An application that pauses for less than this was only taking breath between two writes. */
const PAUSE_MS = 1;
/** RFC 9000 §13.2.4: now and then an ACK asks to be acknowledged itself, so that old ranges can be forgotten. */
const ACK_ONLY_LIMIT = 19;

/** Decides when a packet may leave (window, pacer, probes) and turns frames into sealed datagrams. */
export class PacketSender {
  readonly #parts: ConnectionParts;
  readonly #writer: PacketWriter;
  readonly #options: ConnectionOptions;
  readonly sent: { bytesSent: number; packetsSent: number } = { bytesSent: 0, packetsSent: 0 };
  /** When the pacer lets the next packet go. */
  pacedUntil: Instant | undefined;
  #nextNumber = 0;
  #skipPeriod = FIRST_SKIP;
  #skipAt: number;
  #frequency: AckFrequency = { sequence: 0, threshold: 10, maxDelayMs: 25, reordering: 1 };
  #ackOnly = 0;
  /** Since when there was nothing to send. */
  #idleSince: Instant | undefined;
  readonly #out = new ByteWriter(NO_BYTES);

  constructor(options: ConnectionOptions, parts: ConnectionParts, writer: PacketWriter) {
    this.#parts = parts;
    this.#writer = writer;
    this.#options = options;
    this.#skipAt = this.#drawSkip();
  }

  /** The next packet that acknowledges, probes or carries something; undefined when there is nothing, or it must wait. */
  dataDatagram(now: Instant): OutgoingDatagram | undefined {
    const { acks, recovery, congestion, pacer, rtt } = this.#parts;
    const restricted = this.#options.rekey.restricted;
    this.pacedUntil = undefined;
    const probing = recovery.probesDue > 0;
    if (probing) this.#prepareProbe();
    const work = this.#writer.hasWork(restricted);
    let mayElicit = probing;
    if (!work) this.#idleSince ??= now;
    else if (!probing && recovery.bytesInFlight < congestion.window) {
      const at = pacer.nextAt(now, congestion.pacingRate(rtt), rtt.min);
      mayElicit = at <= now;
      if (!mayElicit) this.pacedUntil = at;
    }
    const ackDue = acks.dueAt !== undefined && acks.dueAt <= now;
    if (!(mayElicit && work) && !ackDue) return undefined;
    const size = recovery.ptoCount >= SMALL_PROBES_AFTER ? BASE_DATAGRAM : this.#parts.mtu.current;
    const out = this.#begin(size);
    const frames: SentFrame[] = [];
    if (acks.pending) this.#writer.writeAck(out, frames, now);
    const before = out.offset;
    if (mayElicit) this.#writer.fill(out, frames, restricted, now);
    else if (++this.#ackOnly >= ACK_ONLY_LIMIT) out.u8(FRAME.PING);
    const eliciting = out.offset > before;
    if (eliciting) this.#ackOnly = 0;
    if (out.offset === out.start) return undefined;
    return this.#seal(out, eliciting ? frames : undefined, this.#parts.path.current, now);
  }

  /** A packet that asks whether its size gets through: RFC 8899 §4.1. Only while there is data worth larger packets. */
  mtuProbe(now: Instant): OutgoingDatagram | undefined {
    const { mtu, rtt, path, recovery, congestion } = this.#parts;
    const size = mtu.probeDue(now);
    if (size === undefined || !rtt.hasSample || recovery.bytesInFlight >= congestion.window) return undefined;
    if (!this.#writer.fillsPackets || this.#options.rekey.restricted) return undefined;
    const out = this.#begin(size);
    out.u8(FRAME.PING);
    out.u8(FRAME.IMMEDIATE_ACK);
    out.pad(out.end);
    mtu.onProbeSent(size);
    return this.#seal(out, NO_FRAMES, path.current, now, true);
  }

  /** Tells the peer how often we want to hear of arrivals: the larger the flight, the less often. */
  onWindowChange(): void {
    const { congestion, mtu, recovery, rtt, due } = this.#parts;
    const packets = congestion.window / mtu.current;
    const old = this.#frequency;
    // Not back and forth at a border: a smaller window must be much smaller.
    const threshold = Math.max(ackEvery(packets), Math.min(old.threshold, ackEvery(1.5 * packets)));
    const reordering = recovery.packetThreshold > 3 ? recovery.packetThreshold : 1;
    if (threshold === old.threshold && reordering === old.reordering) return;
    const maxDelayMs = Math.min(Math.max(1, rtt.smoothed / 4), this.#options.peer.maxAckDelayMs);
    this.#frequency = { sequence: old.sequence + 1, threshold, maxDelayMs, reordering };
    due.ackFrequency = this.#frequency;
  }

  /** After `dataDatagram` had none: another packet could have left. */
  get open(): boolean {
    const { recovery, congestion } = this.#parts;
    return (
      this.pacedUntil === undefined && recovery.bytesInFlight < congestion.window && !this.#options.rekey.restricted
    );
  }

  #takeNumber(): number {
    if (this.#nextNumber >= this.#skipAt) {
      this.#parts.recovery.numbers.onSkipped(this.#nextNumber++);
      this.#skipPeriod = Math.min(this.#skipPeriod * 2, RAREST_SKIP);
      this.#skipAt = this.#nextNumber + this.#drawSkip();
    }
    return this.#nextNumber++;
  }

  #drawSkip(): number {
    const [high = 0, middle = 0, low = 0] = this.#options.random(3);
    return 1 + (((high << 16) | (middle << 8) | low) % this.#skipPeriod);
  }

  /** RFC 9002 §6.2.4: probes carry what is oldest, each its own part of it, in case it was lost, or a PING. */
  #prepareProbe(): void {
    const { recovery, due } = this.#parts;
    if (!this.#writer.hasWork(this.#options.rekey.restricted))
      for (const { frames } of recovery.oldest(recovery.probesDue)) this.#writer.onLost(frames);
    due.ping = true;
  }

  /** Answers and asks whether an address is the peer's: RFC 9000 §8.2. */
  pathDatagram(now: Instant): OutgoingDatagram | undefined {
    const { due, path } = this.#parts;
    if (due.pathResponses.length === 0 && !path.asks) return undefined;
    for (let response = due.pathResponses.shift(); response; response = due.pathResponses.shift()) {
      const { token, to, received } = response;
      const room = path.room(to, received);
      if (room >= MIN_PACKET) return this.#pathFrame(FRAME.PATH_RESPONSE, token, to, room, now);
    }
    const challenge = path.challenge(now, this.#parts.recovery.ptoBase);
    if (!challenge) return undefined;
    return this.#pathFrame(FRAME.PATH_CHALLENGE, challenge.token, challenge.to, challenge.room, now);
  }

  #pathFrame(type: number, token: Uint8Array, to: Address, room: number, now: Instant): OutgoingDatagram {
    const out = this.#begin(Math.min(PATH_DATAGRAM, room));
    out.u8(type);
    out.put(token);
    // RFC 9000 §8.2.1: padded, so that the path is proved for full packets too, as far as the address may be answered.
    if (room >= PATH_DATAGRAM) out.pad(out.end);
    const { protection } = this.#options;
    const usual = protection.remoteCid;
    if (!sameAddress(to, this.#parts.path.current)) protection.remoteCid = this.#parts.cids.probing;
    const datagram = this.#seal(out, undefined, to, now);
    protection.remoteCid = usual;
    this.#parts.path.onSent(to, datagram.bytes.length);
    return datagram;
  }

  closeDatagram(frame: CloseFrame, now: Instant): OutgoingDatagram {
    const out = this.#begin(PATH_DATAGRAM);
    writeClose(out, frame);
    return this.#seal(out, undefined, this.#parts.path.current, now);
  }

  /** Room for the frames of a datagram of at most `size` bytes. */
  #begin(size: number): ByteWriter {
    const { pool } = this.#options;
    const at = pool.take(size);
    this.#out.reset(pool.slab, at + DATA_HEADER, at + size - TAG);
    return this.#out;
  }

  /** `frames` undefined: the packet does not elicit an ACK and is not kept. */
  #seal(
    out: ByteWriter,
    frames: readonly SentFrame[] | undefined,
    to: Address,
    now: Instant,
    probe = false,
  ): OutgoingDatagram {
    // RFC 9000 §10.3: long enough that a restarted peer can answer it with a reset.
    out.pad(out.start + MIN_PACKET - DATA_HEADER - TAG);
    const { protection, pool, log, padTo } = this.#options;
    if (padTo !== undefined) out.pad(paddedEnd(out, padTo));
    const number = this.#takeNumber();
    const length = out.offset - out.start;
    if (log) {
      const payload = out.written();
      log.packetSent({ number, epoch: protection.sendEpoch, size: length + DATA_OVERHEAD, payload }, now);
    }
    const at = out.start - DATA_HEADER;
    const size = protection.seal(out.bytes, at, length, number);
    pool.use(size);
    const { recovery, pacer, idle } = this.#parts;
    recovery.numbers.onUsed(number);
    this.#options.rekey.onPacketSent(size, now);
    this.sent.packetsSent++;
    this.sent.bytesSent += size;
    if (frames) {
      if (this.#idleSince !== undefined && now - this.#idleSince > PAUSE_MS) recovery.onAppLimited();
      this.#idleSince = undefined;
      pacer.onSent(size);
      idle.onElicitingSent(now);
      recovery.onSent({ number, sentAt: now, size, frames, probe });
    }
    return { bytes: out.bytes.subarray(at, at + size), to };
  }
}

/** One ACK for so many packets of a window. */
function ackEvery(packets: number): number {
  if (packets > 512) return 32;
  if (packets > 128) return 16;
  return packets > 32 ? 10 : 4;
}

import type { Instant } from "#kernel/ports.js";
import type { CongestionController } from "./congestion.js";
import { TRANSPORT_ERROR, TransportError } from "./errors.js";
import type { AckFrame } from "./frames.js";
import { MAX_PTO_MS, type RttEstimator } from "./rtt.js";
import type { SentPacket } from "./sentPacket.js";

const PACKET_THRESHOLD = 3;
const PERSISTENT_CONGESTION_THRESHOLD = 3;
const PROBES = 2;

/** Packets that one call found delivered or lost, oldest first. */
export interface Outcome {
  readonly acked: readonly SentPacket[];
  readonly lost: readonly SentPacket[];
}

const NOTHING: readonly SentPacket[] = [];

/**
 * Loss detection over the one packet number space: RFC 9002 §6.
 * It knows which packets are out, when one is lost, and when to probe; what they carried is the connection's business.
 */
export class Recovery {
  readonly #rtt: RttEstimator;
  #congestion: CongestionController;
  readonly #peerMaxAckDelayMs: number;
  /** Insertion order is packet number order. */
  readonly #sent = new Map<number, SentPacket>();
  #bytesInFlight = 0;
  #largestAcked = -1;
  #largestSent = -1;
  #lossTime: Instant | undefined;
  #lastSentAt: Instant = 0;
  #firstRttSampleAt: Instant | undefined;
  #ptoCount = 0;
  #probes = 0;
  lostPackets = 0;

  constructor(rtt: RttEstimator, congestion: CongestionController, peerMaxAckDelayMs: number) {
    this.#rtt = rtt;
    this.#congestion = congestion;
    this.#peerMaxAckDelayMs = peerMaxAckDelayMs;
  }

  get bytesInFlight(): number {
    return this.#bytesInFlight;
  }

  get largestAcked(): number {
    return this.#largestAcked;
  }

  get ptoCount(): number {
    return this.#ptoCount;
  }

  /** Ack-eliciting packets that must go out now, whatever the window says (RFC 9002 §6.2.4). */
  get probesDue(): number {
    return this.#probes;
  }

  /** The probe timeout with its backoff. */
  get pto(): number {
    return Math.min(
      this.#rtt.pto(this.#peerMaxAckDelayMs) * 2 ** this.#ptoCount,
      Math.max(MAX_PTO_MS, this.#rtt.pto(0)),
    );
  }

  get deadline(): Instant | undefined {
    if (this.#lossTime !== undefined) return this.#lossTime;
    return this.#sent.size > 0 ? this.#lastSentAt + this.pto : undefined;
  }

  /** The path changed: what is in flight stays, the window starts anew. */
  replaceController(congestion: CongestionController): void {
    this.#congestion = congestion;
  }

  /** Every packet sent, ack-eliciting or not: numbers never sent must never be acknowledged. */
  onNumberUsed(number: number): void {
    this.#largestSent = number;
  }

  onSent(packet: SentPacket): void {
    this.#sent.set(packet.number, packet);
    this.#bytesInFlight += packet.size;
    this.#lastSentAt = packet.sentAt;
    if (this.#probes > 0) this.#probes--;
  }

  /** Throws TransportError for an ACK of a packet that was never sent. */
  onAck(frame: AckFrame, now: Instant): Outcome {
    if (frame.largest > this.#largestSent)
      throw new TransportError(
        TRANSPORT_ERROR.PROTOCOL_VIOLATION,
        "The peer acknowledged a packet that was never sent.",
        2,
      );
    const acked = this.#takeAcked(frame.ranges);
    if (acked.length === 0) return { acked, lost: NOTHING };
    const newest = acked[acked.length - 1];
    if (newest && newest.number === frame.largest && frame.largest > this.#largestAcked) {
      this.#firstRttSampleAt ??= now;
      this.#rtt.update(Math.max(now - newest.sentAt, 0), Math.min(frame.delayMs, this.#peerMaxAckDelayMs));
    }
    this.#largestAcked = Math.max(this.#largestAcked, frame.largest);
    const lost = this.#detectLost(now);
    this.#onLost(lost, now);
    for (const packet of acked) this.#congestion.onAcked(packet, packet.appLimited);
    this.#ptoCount = 0;
    this.#probes = 0;
    return { acked, lost };
  }

  /** Call when `deadline` has passed: declares losses by time, or asks for probes. */
  onTimeout(now: Instant): readonly SentPacket[] {
    if (this.#lossTime !== undefined) {
      if (now < this.#lossTime) return NOTHING;
      const lost = this.#detectLost(now);
      this.#onLost(lost, now);
      return lost;
    }
    const deadline = this.deadline;
    if (deadline === undefined || now < deadline) return NOTHING;
    this.#ptoCount++;
    this.#probes = PROBES;
    // The timer restarts from here even when the application has nothing and the probe is a PING.
    this.#lastSentAt = now;
    return NOTHING;
  }

  /** The oldest packets still out: what a probe should carry again. */
  oldest(): SentPacket | undefined {
    for (const packet of this.#sent.values()) return packet;
    return undefined;
  }

  #takeAcked(ranges: readonly number[]): SentPacket[] {
    const acked: SentPacket[] = [];
    const oldest = this.oldest()?.number ?? Number.POSITIVE_INFINITY;
    for (let i = ranges.length - 2; i >= 0; i -= 2) {
      const start = ranges[i] ?? 0;
      const end = ranges[i + 1] ?? -1;
      for (let number = Math.max(start, oldest); number <= end; number++) {
        const packet = this.#sent.get(number);
        if (packet) acked.push(this.#take(packet));
      }
    }
    return acked;
  }

  #take(packet: SentPacket): SentPacket {
    this.#sent.delete(packet.number);
    this.#bytesInFlight -= packet.size;
    return packet;
  }

  /** RFC 9002 §6.1. */
  #detectLost(now: Instant): SentPacket[] {
    this.#lossTime = undefined;
    const lost: SentPacket[] = [];
    const lossDelay = this.#rtt.lossDelay();
    for (const packet of this.#sent.values()) {
      if (packet.number > this.#largestAcked) break;
      const lostAt = packet.sentAt + lossDelay;
      if (lostAt <= now || this.#largestAcked >= packet.number + PACKET_THRESHOLD) lost.push(packet);
      else this.#lossTime = Math.min(this.#lossTime ?? lostAt, lostAt);
    }
    for (const packet of lost) this.#take(packet);
    return lost;
  }

  #onLost(lost: readonly SentPacket[], now: Instant): void {
    const newest = lost[lost.length - 1];
    const oldest = lost[0];
    if (!newest || !oldest) return;
    this.lostPackets += lost.length;
    this.#congestion.onCongestion(newest, now);
    // RFC 9002 §7.6.2: everything over this span was lost, and we had an estimate before it began.
    const span = this.#rtt.pto(this.#peerMaxAckDelayMs) * PERSISTENT_CONGESTION_THRESHOLD;
    const sampled = this.#firstRttSampleAt !== undefined && oldest.sentAt > this.#firstRttSampleAt;
    if (sampled && newest.sentAt - oldest.sentAt > span && contiguous(lost)) this.#congestion.onPersistentCongestion();
  }
}

/** True when nothing between the first and the last was delivered: only then do they prove a silent network. */
function contiguous(lost: readonly SentPacket[]): boolean {
  const first = lost[0]?.number ?? 0;
  const last = lost[lost.length - 1]?.number ?? 0;
  return last - first + 1 === lost.length;
}

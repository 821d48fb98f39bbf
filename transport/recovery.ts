import type { Instant } from "#kernel/ports.js";
import type { CongestionController } from "./congestion.js";
import { DeliveryRate } from "./deliveryRate.js";
import type { AckFrame } from "./frames.js";
import { LossThresholds } from "./lossThresholds.js";
import { MAX_PTO_MS, type RttEstimator } from "./rtt.js";
import type { NewPacket, SentPacket } from "./sentPacket.js";
import { SentRing } from "./sentRing.js";
import { UsedNumbers } from "./usedNumbers.js";

const PERSISTENT_CONGESTION_THRESHOLD = 3;
const PROBES = 2;
/** So many probe timeouts in a row, and so long without an acknowledgement, is no mere loss any more: PROTOCOL.md §8. */
const SILENT_PTOS = 3;
const SILENT_MS = 500;

/** Packets that one call found delivered or lost, oldest first. */
export interface Outcome {
  readonly acked: readonly SentPacket[];
  readonly lost: readonly SentPacket[];
  /** Were given up before, and have arrived after all. */
  readonly late: readonly SentPacket[];
}

const NONE: readonly SentPacket[] = [];
const NOTHING: Outcome = { acked: NONE, lost: NONE, late: NONE };

/**
 * Loss detection over the one packet number space: RFC 9002 §6.
 * It knows which packets are out, when one is lost, and when to probe; what they carried is the connection's business.
 */
export class Recovery {
  readonly #rtt: RttEstimator;
  #congestion: CongestionController;
  readonly #peerMaxAckDelayMs: number;
  readonly #sent = new SentRing();
  readonly #rate = new DeliveryRate();
  readonly #thresholds = new LossThresholds();
  /** Every packet that leaves is entered here, whether it elicits an ACK or not. */
  readonly numbers: UsedNumbers = new UsedNumbers();
  #bytesInFlight = 0;
  #largestAcked = -1;
  #firstOnPath = 0;
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

  /** Packets that were given up although they arrived. */
  get spuriousLosses(): number {
    return this.#thresholds.spurious;
  }

  /** How far behind the newest a packet may be before it counts as lost. */
  get packetThreshold(): number {
    return this.#thresholds.packets;
  }

  /** Ack-eliciting packets that must go out now, whatever the window says (RFC 9002 §6.2.4). */
  get probesDue(): number {
    return this.#probes;
  }

  /** The probe timeout with its backoff. */
  get pto(): number {
    const base = this.ptoBase;
    return this.#ptoCount === 0 ? base : Math.min(base * 2 ** this.#ptoCount, Math.max(MAX_PTO_MS, this.#rtt.pto(0)));
  }

  /** The probe timeout without its backoff: RFC 9000's measure for how long to wait for the peer. */
  get ptoBase(): number {
    return this.#rtt.pto(this.#peerMaxAckDelayMs);
  }

  get deadline(): Instant | undefined {
    if (this.#lossTime !== undefined) return this.#lossTime;
    return this.#sent.size > 0 ? this.#lastSentAt + this.pto : undefined;
  }

  /** What was sent is not acknowledged, however often it is said again: the path may be dead. */
  silent(now: Instant): boolean {
    const oldest = this.#sent.get(this.#sent.low);
    return this.#ptoCount >= SILENT_PTOS && oldest !== undefined && now - oldest.sentAt >= SILENT_MS;
  }

  /**
   * The path changed: the window and the estimate of the round trip start anew, and what is still out there says nothing about
   * the new one, neither by arriving nor by being lost, and takes no room on it (RFC 9000 §9.4).
   */
  startPath(congestion: CongestionController): void {
    this.#congestion = congestion;
    this.#rtt.reset();
    this.#firstOnPath = this.numbers.largest + 1;
    this.#bytesInFlight = 0;
  }

  /** It was sent on the path of now. */
  #onPath({ number }: { readonly number: number }): boolean {
    return number >= this.#firstOnPath;
  }

  /** The peer is heard from another place: what was sent to the old one may be lost, and its silence says nothing. */
  probe(): void {
    if (this.#sent.size === 0) return;
    this.#ptoCount = 0;
    this.#probes = PROBES;
  }

  /** The sender has nothing to say although the window is open. */
  onAppLimited(): void {
    this.#rate.onAppLimited(this.#bytesInFlight);
  }

  onSent(packet: NewPacket): void {
    const sent = this.#rate.stamp(packet, this.#bytesInFlight);
    this.#sent.add(sent);
    this.#bytesInFlight += packet.size;
    this.#lastSentAt = packet.sentAt;
    if (this.#probes > 0) this.#probes--;
    this.#congestion.onSent(sent);
  }

  /** `timely`: it took the way of the path. Throws TransportError for an ACK of a packet that was never sent. */
  onAck(frame: AckFrame, now: Instant, timely = true): Outcome {
    this.numbers.check(frame);
    const inFlightBefore = this.#bytesInFlight;
    const late = this.#thresholds.onAck(frame.ranges, this.#largestAcked, now, this.#rtt.smoothed);
    const acked = this.#takeAcked(frame.ranges, now);
    if (acked.length === 0 && late.packets.length === 0) return NOTHING;
    for (const packet of this.here(late.packets)) this.#rate.delivered += packet.size;
    const rttMs = timely ? this.#sampleRtt(acked[acked.length - 1], frame, now) : undefined;
    this.#largestAcked = Math.max(this.#largestAcked, frame.largest);
    if (late.undone) this.#congestion.onSpuriousLoss();
    const lost = this.#detectLost(now);
    this.#onLost(lost, now);
    this.#tellArrivals(this.here(acked), this.here(lost), { now, inFlightBefore, rttMs });
    this.#ptoCount = 0;
    this.#probes = 0;
    return { acked, lost, late: late.packets };
  }

  /** Call when `deadline` has passed: declares losses by time, or asks for probes. */
  onTimeout(now: Instant): readonly SentPacket[] {
    if (this.#lossTime !== undefined) {
      if (now < this.#lossTime) return NONE;
      const lost = this.#detectLost(now);
      this.#onLost(lost, now);
      return lost;
    }
    const deadline = this.deadline;
    if (deadline === undefined || now < deadline) return NONE;
    this.#ptoCount++;
    this.#probes = PROBES;
    // The timer restarts from here even when the application has nothing and the probe is a PING.
    this.#lastSentAt = now;
    return NONE;
  }

  /** The oldest packets still out that said something, at most `count`: what probes should carry again. A PING before them has nothing to repeat. */
  oldest(count: number): readonly SentPacket[] {
    const found: SentPacket[] = [];
    for (let number = this.#sent.low; number < this.#sent.end && found.length < count; number++) {
      const packet = this.#sent.get(number);
      if (packet?.frames.some(({ kind }) => kind !== "ack")) found.push(packet);
    }
    return found;
  }

  /** Those that were sent on the path of now; the numbers rise. */
  here(packets: readonly SentPacket[]): readonly SentPacket[] {
    const [first] = packets;
    return first && !this.#onPath(first) ? packets.filter((packet) => this.#onPath(packet)) : packets;
  }

  #tellArrivals(
    acked: readonly SentPacket[],
    lost: readonly SentPacket[],
    seen: { readonly now: Instant; readonly inFlightBefore: number; readonly rttMs: number | undefined },
  ): void {
    const { now, inFlightBefore, rttMs } = seen;
    // Every property by name: V8 makes a spread object property by property.
    const ack = {
      now,
      acked,
      ackedBytes: total(acked),
      lostBytes: total(lost),
      inFlightBefore,
      inFlight: this.#bytesInFlight,
      rttMs,
      delivered: this.#rate.delivered,
      rate: this.#rate.take(now, this.#rtt.min),
    };
    this.#congestion.onAck(ack, this.#rtt);
  }

  #takeAcked(ranges: readonly number[], now: Instant): SentPacket[] {
    const acked: SentPacket[] = [];
    for (let i = ranges.length - 2; i >= 0; i -= 2) {
      const end = Math.min(ranges[i + 1] ?? -1, this.#sent.end - 1);
      for (let number = Math.max(ranges[i] ?? 0, this.#sent.low); number <= end; number++) {
        const packet = this.#take(number);
        if (!packet) continue;
        if (this.#onPath(packet)) this.#rate.onAcked(packet, now);
        acked.push(packet);
      }
    }
    return acked;
  }

  #take(number: number): SentPacket | undefined {
    const packet = this.#sent.take(number);
    if (packet && this.#onPath(packet)) this.#bytesInFlight -= packet.size;
    return packet;
  }

  /** RFC 9002 §5.1: only from the largest packet, and only when it is news. */
  #sampleRtt(newest: SentPacket | undefined, frame: AckFrame, now: Instant): number | undefined {
    if (newest?.number !== frame.largest || frame.largest <= this.#largestAcked) return undefined;
    if (newest.number < this.#firstOnPath) return undefined;
    this.#firstRttSampleAt ??= now;
    const rttMs = Math.max(now - newest.sentAt, 0);
    this.#rtt.update(rttMs, Math.min(frame.delayMs, this.#peerMaxAckDelayMs));
    return rttMs;
  }

  /** RFC 9002 §6.1. */
  #detectLost(now: Instant): readonly SentPacket[] {
    this.#lossTime = undefined;
    if (this.#sent.low > this.#largestAcked) return NONE;
    const lost: SentPacket[] = [];
    const lossDelay = this.#rtt.lossDelay(this.#thresholds.time);
    const end = Math.min(this.#sent.end - 1, this.#largestAcked);
    for (let number = this.#sent.low; number <= end; number++) {
      const packet = this.#sent.get(number);
      if (!packet) continue;
      const lostAt = packet.sentAt + lossDelay;
      if (lostAt <= now || this.#largestAcked >= number + this.#thresholds.packets) lost.push(packet);
      else this.#lossTime = Math.min(this.#lossTime ?? lostAt, lostAt);
    }
    for (const packet of lost) this.#take(packet.number);
    return lost;
  }

  #onLost(all: readonly SentPacket[], now: Instant): void {
    if (all.length === 0) return;
    const given = all.some((packet) => packet.probe) ? all.filter((packet) => !packet.probe) : all;
    if (given.length === 0) return;
    this.lostPackets += given.length;
    this.#thresholds.onLost(given, now, this.ptoBase);
    const lost = this.here(given);
    const newest = lost[lost.length - 1];
    const oldest = lost[0];
    if (!newest || !oldest) return;
    this.#rate.lost += total(lost);
    this.#congestion.onLost(lost, now);
    // RFC 9002 §7.6.2: everything over this span was lost, and we had an estimate before it began.
    const span = this.ptoBase * PERSISTENT_CONGESTION_THRESHOLD;
    const sampled = this.#firstRttSampleAt !== undefined && oldest.sentAt > this.#firstRttSampleAt;
    if (sampled && newest.sentAt - oldest.sentAt > span && contiguous(lost)) this.#congestion.onPersistentCongestion();
  }
}

function total(packets: readonly SentPacket[]): number {
  let bytes = 0;
  for (const packet of packets) bytes += packet.size;
  return bytes;
}

/** True when nothing between the first and the last was delivered: only then do they prove a silent network. */
function contiguous(lost: readonly SentPacket[]): boolean {
  const first = lost[0]?.number ?? 0;
  const last = lost[lost.length - 1]?.number ?? 0;
  return last - first + 1 === lost.length;
}

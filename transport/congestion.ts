import type { Instant } from "#kernel/ports.js";
import type { RateSample } from "./deliveryRate.js";
import type { RttEstimator } from "./rtt.js";
import type { SentPacket } from "./sentPacket.js";

/** What one ACK changed, after losses were found. All sizes are UDP payload bytes. */
export interface AckReport {
  readonly now: Instant;
  /** Oldest first. */
  readonly acked: readonly SentPacket[];
  readonly ackedBytes: number;
  readonly lostBytes: number;
  readonly inFlightBefore: number;
  readonly inFlight: number;
  /** The newest round-trip sample, when this ACK gave one. */
  readonly rttMs: number | undefined;
  /** Bytes delivered since the start. */
  readonly delivered: number;
  readonly rate: RateSample | undefined;
}

/** Decides how many bytes may be in flight, and how fast they leave. PROTOCOL.md §6.3. */
export interface CongestionController {
  readonly name: string;
  /** What it is doing, in a word. */
  readonly state: string;
  /** Bytes that may be in flight. */
  readonly window: number;
  /** Bytes a millisecond for the pacer. */
  pacingRate(rtt: RttEstimator): number;
  onSent(packet: SentPacket): void;
  onAck(report: AckReport, rtt: RttEstimator): void;
  /** Packets that count as lost, oldest first; before the `onAck` of the same ACK. */
  onLost(lost: readonly SentPacket[], now: Instant): void;
  /** Everything that the last `onLost` was about has arrived after all (RFC 9438 §4.9). */
  onSpuriousLoss(): void;
  /** RFC 9002 §7.6. */
  onPersistentCongestion(): void;
  /** Full packets have another size now. */
  setMaxDatagram(size: number): void;
}

/** RFC 9002 §7.2. */
export function initialWindow(maxDatagram: number): number {
  return Math.min(10 * maxDatagram, Math.max(2 * maxDatagram, 14_720));
}

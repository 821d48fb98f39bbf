import type { Instant } from "#kernel/ports.js";
import type { NewPacket, SentPacket } from "./sentPacket.js";

/** What one ACK says about the speed of the path. */
export interface RateSample {
  /** Bytes that arrived, and in how many milliseconds. */
  readonly delivered: number;
  readonly intervalMs: number;
  /** Bytes a millisecond. */
  readonly rate: number;
  /** The newest acknowledged packet: what was known, in flight and lost when it left. */
  readonly packet: SentPacket;
  /** Bytes lost since that packet left. */
  readonly lost: number;
}

/**
 * How fast the path delivers (draft-cheng-iccrg-delivery-rate-estimation): for each ACK, the bytes delivered since its newest
 * packet left, over the longer of the time it took to send them and the time it took to acknowledge them.
 */
export class DeliveryRate {
  /** Bytes known to have arrived, and lost, since the start. */
  delivered = 0;
  lost = 0;
  #deliveredAt: Instant = 0;
  #flightStart: Instant = 0;
  /** While `delivered` is below this, samples show the application's speed. */
  #appLimitedUntil = 0;
  #newest: SentPacket | undefined;

  /** The sender has nothing to send although it may. */
  onAppLimited(inFlight: number): void {
    this.#appLimitedUntil = Math.max(1, this.delivered + inFlight);
  }

  stamp(packet: NewPacket, inFlightBefore: number): SentPacket {
    if (inFlightBefore === 0) {
      this.#flightStart = packet.sentAt;
      this.#deliveredAt = packet.sentAt;
    }
    return {
      number: packet.number,
      sentAt: packet.sentAt,
      size: packet.size,
      frames: packet.frames,
      probe: packet.probe,
      delivered: this.delivered,
      deliveredAt: this.#deliveredAt,
      flightStart: this.#flightStart,
      inFlight: inFlightBefore + packet.size,
      lost: this.lost,
      appLimited: this.delivered < this.#appLimitedUntil,
    };
  }

  onAcked(packet: SentPacket, now: Instant): void {
    this.delivered += packet.size;
    this.#deliveredAt = now;
    const newest = this.#newest;
    if (newest && newest.number > packet.number) return;
    this.#newest = packet;
    this.#flightStart = packet.sentAt;
  }

  /** The sample of the packets acknowledged since the last call; undefined when they took no measurable time. */
  take(now: Instant, minRttMs: number): RateSample | undefined {
    const packet = this.#newest;
    this.#newest = undefined;
    if (!packet) return undefined;
    const intervalMs = Math.max(packet.sentAt - packet.flightStart, now - packet.deliveredAt);
    const delivered = this.delivered - packet.delivered;
    // Less than a round trip: the ACKs came in a bunch, and say nothing about the path.
    if (intervalMs <= 0 || intervalMs < minRttMs) return undefined;
    return { delivered, intervalMs, rate: delivered / intervalMs, packet, lost: this.lost - packet.lost };
  }
}

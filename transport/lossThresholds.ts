import type { Instant } from "#kernel/ports.js";
import { covers } from "./frames.js";
import type { SentPacket } from "./sentPacket.js";

const PACKET_THRESHOLD = 3;
const MAX_PACKET_THRESHOLD = 128;
const TIME_THRESHOLD = 9 / 8;
const MAX_TIME_THRESHOLD = 2;
const MAX_REMEMBERED = 256;
/** Round trips without a mistake until the thresholds are RFC 9002's again. */
const DECAY_ROUND_TRIPS = 16;

interface Lost {
  readonly packet: SentPacket;
  /** Which finding of losses it belongs to. */
  readonly event: number;
  readonly forgetAt: Instant;
}

/** Packets that were given up and have arrived all the same. */
export interface LateArrivals {
  readonly packets: readonly SentPacket[];
  readonly undone: boolean;
}

const NOTHING_LATE: LateArrivals = { packets: [], undone: false };

/**
 * How late a packet may be before it counts as lost. Starts at RFC 9002 §6.1's 3 packets and 9/8 round trips; when a packet
 * that was given up arrives after all, the path reorders that deep and the thresholds follow.
 */
export class LossThresholds {
  packets: number = PACKET_THRESHOLD;
  /** Times the round-trip time. */
  time: number = TIME_THRESHOLD;
  /** Packets that were given up and arrived all the same. */
  spurious = 0;
  #lost: Lost[] = [];
  #event = 0;
  /** Lost packets of the newest event that have not arrived. */
  #missing = 0;
  #lastMistakeAt: Instant = 0;

  /** Remembers packets that are given up now, for two probe timeouts. */
  onLost(lost: readonly SentPacket[], now: Instant, ptoMs: number): void {
    this.#event++;
    this.#missing = lost.length;
    for (const packet of lost) this.#lost.push({ packet, event: this.#event, forgetAt: now + 2 * ptoMs });
    if (this.#lost.length > MAX_REMEMBERED) this.#lost.splice(0, this.#lost.length - MAX_REMEMBERED);
  }

  /**
   * Looks for given-up packets among the acknowledged `ranges` (start, end pairs, highest first). `largestBefore`: the largest
   * number acknowledged before this ACK. `undone`: nothing of the newest loss event is missing any more, so it was none.
   */
  onAck(ranges: readonly number[], largestBefore: number, now: Instant, smoothedRttMs: number): LateArrivals {
    if (this.#lost.length === 0) {
      this.#decay(now, smoothedRttMs);
      return NOTHING_LATE;
    }
    const packets: SentPacket[] = [];
    let undone = false;
    this.#lost = this.#lost.filter(({ packet, event, forgetAt }) => {
      if (!covers(ranges, packet.number)) return forgetAt > now;
      packets.push(packet);
      this.#onMistake(largestBefore - packet.number, now);
      if (event === this.#event && --this.#missing === 0) undone = true;
      return false;
    });
    return { packets, undone };
  }

  #onMistake(displacement: number, now: Instant): void {
    this.spurious++;
    this.#lastMistakeAt = now;
    if (displacement >= this.packets) this.packets = Math.min(displacement + 1, MAX_PACKET_THRESHOLD);
    else this.time = Math.min(this.time * 1.25, MAX_TIME_THRESHOLD);
  }

  #decay(now: Instant, smoothedRttMs: number): void {
    if (now - this.#lastMistakeAt < DECAY_ROUND_TRIPS * smoothedRttMs) return;
    this.packets = PACKET_THRESHOLD;
    this.time = TIME_THRESHOLD;
  }
}

import type { Instant } from "#kernel/ports.js";
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
  /** In the order of their numbers: a lower one is never given up later. */
  readonly #lost: Lost[] = [];
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
    const late = this.#takeLate(ranges);
    let undone = false;
    for (const { packet, event } of late) {
      this.#onMistake(largestBefore - packet.number, now);
      if (event === this.#event && --this.#missing === 0) undone = true;
    }
    const kept = this.#lost.findIndex(({ forgetAt }) => forgetAt > now);
    this.#lost.splice(0, kept < 0 ? this.#lost.length : kept);
    return { packets: late.map(({ packet }) => packet), undone };
  }

  /** Lowest first. Not a look at everything for each small ACK: what was given up is in order of its numbers. */
  #takeLate(ranges: readonly number[]): readonly Lost[] {
    const late: Lost[] = [];
    for (let i = ranges.length - 2; i >= 0; i -= 2) {
      const from = this.#firstFrom(ranges[i] ?? 0);
      let to = from;
      while ((this.#lost[to]?.packet.number ?? Number.POSITIVE_INFINITY) <= (ranges[i + 1] ?? -1)) to++;
      if (to > from) late.push(...this.#lost.splice(from, to - from));
    }
    return late;
  }

  #firstFrom(number: number): number {
    let low = 0;
    let high = this.#lost.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#lost[middle]?.packet.number ?? 0) >= number) high = middle;
      else low = middle + 1;
    }
    return low;
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

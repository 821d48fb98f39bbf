import type { Instant } from "#kernel/ports.js";
import type { AckReport } from "./congestion.js";
import type { OwnRtt } from "./probeRtt.js";

const MIN_RTT_WINDOW_MS = 5_000;
/** For so many of them it is believed what a probe found: where it matters there is a probe in each. */
const HELD_BACK_WINDOWS = 2;
/** So much later than the shortest round trip a radio's jitter brings an ACK although nothing waits. */
export const JITTER_MS = 5;
/** A round trip as short as the shortest, but for what a clock and a radio add, confirms it. */
const CONFIRM_RATIO = 1.05;
const CONFIRM_MS = 0.2;
/** With a queue before us a round that lost more than this share is a sign that it is full. */
const LOSS_THRESHOLD = 0.02;
/** Without one it takes much more: a bad radio loses a few per cent and nobody is served by our slowing down. */
const LOSS_THRESHOLD_NO_QUEUE = 0.1;
/** Round trips so much longer than the shortest mean that something waits. */
const QUEUE_RATIO = 1.15;
const QUEUE_MS = 0.5;
/** So much longer: the queue is about as deep as the path, and it is no radio's jitter. */
const DEEP_QUEUE_RATIO = 1.5;
const DEEP_QUEUE_MS = 5;
/** One packet of a small window is always more than the threshold. */
const MIN_LOSSES = 3;
/** Chance scatters a count by its square root; so many of these must be exceeded before a loss says something. */
const DEVIATIONS = 2;
const AGGREGATION_ROUNDS = 5;

/** What one round trip showed, counted from the ACK that ended the round before. */
interface Round {
  /** Bytes, then packets. */
  delivered: number;
  arrivals: number;
  losses: number;
  /** Fastest sample, bytes a millisecond. */
  rate: number;
  /** Sum and count of the round-trip samples. */
  rttSum: number;
  rttCount: number;
  /** Most bytes in flight when an ACK came. */
  peak: number;
}

/**
 * What the ACKs tell about a path: how fast it delivers, how long its shortest round trip is, how much it hands over at once,
 * and how much it loses. Bytes and milliseconds.
 */
export class PathModel {
  /** Shortest round trip of the last five seconds; infinite before the first. */
  minRttMs: number = Number.POSITIVE_INFINITY;
  minRttAt: Instant = 0;
  rounds = 0;
  /** This ACK ended a round. */
  roundStarted = false;
  /** The round that ended last. */
  last: Readonly<Round> = emptyRound();
  #current: Round = emptyRound();
  #roundEnd = 0;
  /** Fastest rate of this cycle of probing and of the one before. */
  #fastest = 0;
  #fastestBefore = 0;
  #burstStart: Instant = 0;
  #burstBytes = 0;
  #bursts = [0, 0];

  /** The path's rate, as far as it is known. */
  get rate(): number {
    return Math.max(this.#fastest, this.#fastestBefore);
  }

  /** Bytes that arrive at once beyond the rate: radio aggregates, delayed ACKs, busy processes. */
  get aggregation(): number {
    return Math.max(...this.#bursts);
  }

  /** The last round lost so much that the queue must have been full. */
  get overloaded(): boolean {
    const { arrivals, losses } = this.last;
    return tooMany(losses, losses + arrivals, this.#tolerated);
  }

  /** The same of a search that doubles each round, and so loses much where it meets a full queue: jitter alone is no queue yet. */
  get flooded(): boolean {
    const { arrivals, losses, rttSum, rttCount } = this.last;
    const queue = rttCount === 0 || rttSum / rttCount > QUEUE_RATIO * this.minRttMs + DEEP_QUEUE_MS;
    return tooMany(losses, losses + arrivals, queue ? LOSS_THRESHOLD : LOSS_THRESHOLD_NO_QUEUE);
  }

  /** Others may have overflowed it: it is deep, and something was lost, or more was lost than we take from a bad radio. */
  get squeezed(): boolean {
    const { arrivals, losses, rttSum, rttCount } = this.last;
    if (rttCount > 0 && this.isDeep(rttSum / rttCount)) return losses > 0;
    return losses >= MIN_LOSSES && losses > this.#tolerated * (losses + arrivals);
  }

  get #tolerated(): number {
    const { rttSum, rttCount } = this.last;
    const queue = rttCount === 0 || rttSum / rttCount > QUEUE_RATIO * this.minRttMs + QUEUE_MS;
    return queue ? LOSS_THRESHOLD : LOSS_THRESHOLD_NO_QUEUE;
  }

  /** A round trip that waited in a queue about as long as the path itself takes. */
  isDeep(rttMs: number | undefined): boolean {
    return rttMs !== undefined && rttMs > DEEP_QUEUE_RATIO * this.minRttMs + DEEP_QUEUE_MS;
  }

  get minRttExpired(): boolean {
    return Number.isFinite(this.minRttMs) && this.#minRttAge > MIN_RTT_WINDOW_MS;
  }
  #minRttAge = 0;
  /** So much longer than the shortest, and than jitter makes it, is the mean round trip while nothing waits: a phone that sleeps between beacons. */
  heldBackMs = 0;
  #heldBackUntil: Instant = 0;

  onLost(packets: number): void {
    this.#current.losses += packets;
  }

  onAck(report: AckReport): void {
    const newest = report.acked[report.acked.length - 1];
    this.roundStarted = newest !== undefined && newest.delivered >= this.#roundEnd;
    this.#current.delivered += report.ackedBytes;
    this.#current.arrivals += report.acked.length;
    this.#current.peak = Math.max(this.#current.peak, report.inFlightBefore);
    this.#sampleRate(report);
    this.#sampleRtt(report);
    this.#sampleAggregation(report);
    if (!this.roundStarted) return;
    this.#roundEnd = report.delivered;
    this.rounds++;
    this.last = this.#current;
    this.#current = emptyRound();
    if (this.rounds % AGGREGATION_ROUNDS === 0) this.#bursts = [0, this.#bursts[0] ?? 0];
  }

  /** A cycle of probing is over: the rate of the one before it is forgotten, unless this one learned nothing. */
  advanceCycle(): void {
    if (this.#fastest === 0) return;
    this.#fastestBefore = this.#fastest;
    this.#fastest = 0;
  }

  /** The shortest round trip is measured anew. */
  onProbedRtt({ shortestMs, meanMs }: OwnRtt, now: Instant): void {
    this.#setMinRtt(shortestMs, now);
    this.heldBackMs = Math.max(meanMs - shortestMs - JITTER_MS, 0);
    this.#heldBackUntil = now + HELD_BACK_WINDOWS * MIN_RTT_WINDOW_MS;
  }

  #sampleRate({ rate }: AckReport): void {
    if (!rate) return;
    this.#current.rate = Math.max(this.#current.rate, rate.rate);
    if (!rate.packet.appLimited || rate.rate > this.rate) this.#fastest = Math.max(this.#fastest, rate.rate);
  }

  #sampleRtt({ rttMs, now }: AckReport): void {
    if (rttMs !== undefined) {
      this.#current.rttSum += rttMs;
      this.#current.rttCount++;
    }
    if (rttMs !== undefined && rttMs <= this.minRttMs) this.#setMinRtt(rttMs, now);
    else if (rttMs !== undefined && rttMs <= CONFIRM_RATIO * this.minRttMs + CONFIRM_MS) this.minRttAt = now;
    this.#minRttAge = now - this.minRttAt;
    if (now > this.#heldBackUntil) this.heldBackMs = 0;
  }

  #setMinRtt(rttMs: number, now: Instant): void {
    this.minRttMs = rttMs;
    this.minRttAt = now;
    this.#minRttAge = 0;
  }

  /** How far a run of ACKs gets ahead of the rate (BBR's extra_acked). */
  #sampleAggregation({ now, ackedBytes }: AckReport): void {
    const expected = this.rate * (now - this.#burstStart);
    if (this.#burstBytes <= expected) {
      this.#burstStart = now;
      this.#burstBytes = 0;
    }
    this.#burstBytes += ackedBytes;
    const extra = this.#burstBytes - this.rate * (now - this.#burstStart);
    this.#bursts[0] = Math.max(this.#bursts[0] ?? 0, extra);
  }
}

function emptyRound(): Round {
  return { delivered: 0, arrivals: 0, losses: 0, rate: 0, rttSum: 0, rttCount: 0, peak: 0 };
}

/** More of `packets` are lost than a path that loses the tolerated share would lose by chance. */
export function tooMany(losses: number, packets: number, tolerated: number = LOSS_THRESHOLD): boolean {
  const expected = tolerated * packets;
  return losses >= MIN_LOSSES && losses > expected + DEVIATIONS * Math.sqrt(expected);
}

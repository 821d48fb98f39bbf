import type { Instant } from "#kernel/ports.js";
import { type BbrState, fullGain, GAINS, windowGain } from "./bbrStates.js";
import { type AckReport, type CongestionController, initialWindow } from "./congestion.js";
import { FullPipe } from "./fullPipe.js";
import { LossLimits } from "./lossLimits.js";
import { windowRate } from "./pacer.js";
import { PathModel, tooMany } from "./pathModel.js";
import { ProbeRtt } from "./probeRtt.js";
import { ProbeSchedule } from "./probeSchedule.js";
import type { RttEstimator } from "./rtt.js";
import type { SentPacket } from "./sentPacket.js";

const PACING_MARGIN = 0.99;
/** Timers fire a millisecond late and ACKs wait for one: so much may be out beyond the path's own round trip. */
const TIMER_MS = 2;
const STARTUP_LOSSES = 6;
/** Fewer packets than this in a round overflow no queue: it was full of others' when we came. */
const STARTUP_FLIGHT = 64;
/** Less of the window than this in flight: not the path was slow, but we were (a cold or busy program). */
const WINDOW_USED = 0.7;
/** A probe that finds so much more, with no queue, has found that the search ended too early. */
const FOUND_MORE = 1.2;
const NO_QUEUE = 1.25;
const FEW_LOSSES = 3;
const MIN_WINDOW_PACKETS = 4;
/** Three times RFC 9002 §7.2's: it leaves paced, over a round trip that the handshake has measured. */
const FIRST_WINDOW_PACKETS = 32;

/**
 * Sends at the rate at which the path delivers, with little more in flight than it holds (after draft-ietf-ccwg-bbr).
 * Loss alone is no reason to slow down until it passes two per cent: PROTOCOL.md §6.3.
 */
export class Bbr implements CongestionController {
  readonly name = "bbr";
  #maxDatagram: number;
  #window: number;
  readonly #model = new PathModel();
  #state: BbrState = "startup";
  #pacing = 0;
  readonly #pipe = new FullPipe();
  #pipeFilled = false;
  readonly #limits = new LossLimits();
  readonly #schedule = new ProbeSchedule();
  /** Losses of packets that left before are the work of a probe, and have been judged with it. */
  #judgeFrom: Instant = Number.NEGATIVE_INFINITY;
  #stateRound = 0;
  #rateBeforeProbe = 0;
  #probeRtt: ProbeRtt | undefined;

  constructor(maxDatagram: number) {
    this.#maxDatagram = maxDatagram;
    this.#window = FIRST_WINDOW_PACKETS * maxDatagram;
  }

  get window(): number {
    return this.#window;
  }

  get state(): BbrState {
    return this.#state;
  }

  get rate(): number {
    return Math.min(this.#model.rate, this.#limits.rate);
  }

  pacingRate(rtt: RttEstimator): number {
    // After a blackout the samples say next to nothing: the smallest window still leaves within a round trip.
    if (this.#pacing > 0) return Math.max(this.#pacing, windowRate(this.#minimum, rtt.smoothed, false));
    return GAINS.startup.pacing * windowRate(this.#window, rtt.smoothed, false);
  }

  onSent(): void {}

  onLost(lost: readonly SentPacket[]): void {
    let judged = 0;
    for (const { sentAt } of lost) if (sentAt >= this.#judgeFrom) judged++;
    this.#model.onLost(judged);
  }

  onAck(report: AckReport): void {
    this.#model.onAck(report);
    if (this.#model.roundStarted) this.#onRound(report);
    this.#move(report);
    this.#maybeProbeRtt(report);
    this.#setPacing();
    this.#setWindow(report);
  }

  onSpuriousLoss(): void {
    this.#limits.undo();
  }

  onPersistentCongestion(): void {
    this.#window = this.#minimum;
  }

  setMaxDatagram(size: number): void {
    this.#maxDatagram = size;
    this.#window = Math.max(this.#window, this.#minimum);
  }

  get #minimum(): number {
    return MIN_WINDOW_PACKETS * this.#maxDatagram;
  }

  /** Half of what the path holds, and nothing for bursts: the queue must empty. */
  get #probeRttWindow(): number {
    const { minRttMs } = this.#model;
    return Number.isFinite(minRttMs)
      ? Math.max(this.rate * GAINS.probeRtt.window * minRttMs, this.#minimum)
      : this.#minimum;
  }

  /** Bytes that fill the path `gain` times, and what timers and aggregation add. */
  #inFlight(gain: number): number {
    const { minRttMs, heldBackMs, aggregation } = this.#model;
    if (!Number.isFinite(minRttMs) || this.rate === 0) return Math.max(this.#window, this.#minimum);
    return Math.max(this.rate * (gain * minRttMs + heldBackMs + TIMER_MS) + aggregation, this.#minimum);
  }

  #onRound(report: AckReport): void {
    if (!this.#pipeFilled) {
      this.#checkPipe();
      return;
    }
    if (!this.#model.squeezed) return;
    if (this.#probing) {
      if (this.#model.overloaded) this.#onProbeOverflow(report);
      return;
    }
    const { rate, delivered } = this.#model.last;
    this.#limits.onSqueeze({
      rate,
      delivered: Math.max(delivered, this.#minimum),
      own: this.rate,
      window: this.#window,
    });
  }

  get #probing(): boolean {
    return this.#state === "up" || this.#state === "refill";
  }

  #onProbeOverflow(report: AckReport): void {
    const inFlight = report.acked[report.acked.length - 1]?.inFlight ?? report.inFlightBefore;
    this.#limits.onProbeOverflow(inFlight, this.#inFlight(1));
    this.#enterDown(report.now, true);
  }

  /** The pipe is full when its rate stops growing, or when startup overflows the queue. */
  #checkPipe(): void {
    const { last, flooded, rate } = this.#model;
    const ours = last.losses + last.arrivals >= STARTUP_FLIGHT;
    if (flooded && ours && last.losses >= STARTUP_LOSSES) {
      this.#pipeFilled = true;
      this.#limits.onStartupOverflow(last.delivered, this.#inFlight(fullGain(this.#model.minRttMs)));
    } else if (last.peak >= WINDOW_USED * this.#window) this.#pipeFilled = this.#pipe.onRound(rate);
  }

  #move(report: AckReport): void {
    const { now, inFlight } = report;
    const rounds = this.#model.rounds - this.#stateRound;
    switch (this.#state) {
      case "startup":
        if (!this.#pipeFilled) break;
        this.#judgeFrom = now;
        this.#schedule.onStartup(this.#limits.known);
        this.#enter("drain");
        break;
      case "drain":
        if (inFlight <= this.#inFlight(1)) this.#enterDown(now);
        break;
      case "down":
        if (this.#timeToProbe(now)) this.#enterRefill();
        else if (inFlight <= Math.min(this.#inFlight(1), this.#limits.withHeadroom)) this.#enter("cruise");
        break;
      case "cruise":
        if (this.#timeToProbe(now)) this.#enterRefill();
        break;
      case "refill":
        if (rounds >= 1 && this.#model.roundStarted) this.#enterUp();
        break;
      case "up":
        this.#probeUp(report);
        break;
      default:
    }
  }

  /** Until the queue overflows, the rate stops growing, or the search turns out to have ended too early. */
  #probeUp(report: AckReport): void {
    if (this.#overflows(report)) this.#onProbeOverflow(report);
    else if (this.#foundMore(report)) {
      this.#pipeFilled = false;
      this.#pipe.restart(this.rate);
      this.#enter("startup");
    } else if (this.#raiseCeiling(report)) this.#pipe.restart(this.rate);
    else if (this.#model.roundStarted && this.#pipe.onRound(this.rate)) this.#enterDown(report.now);
  }

  /** A deep queue proves that enough is in flight: few losses are reason enough to stop there. */
  #overflows({ rate, rttMs }: AckReport): boolean {
    if (!rate) return false;
    const size = this.#maxDatagram;
    const lost = rate.lost / size;
    return tooMany(lost, rate.packet.inFlight / size) || (lost >= FEW_LOSSES && this.#model.isDeep(rttMs));
  }

  #enter(state: BbrState): void {
    if (this.#probing && state !== "up") this.#limits.onProbeOver();
    this.#state = state;
    this.#stateRound = this.#model.rounds;
  }

  #enterDown(now: Instant, overflow = false): void {
    if (this.#probing) {
      this.#judgeFrom = now;
      this.#schedule.onProbed(overflow);
    }
    this.#enter("down");
    // The byte count is as good as a die.
    this.#schedule.restart(now, this.#packets, this.#model.last.delivered >>> 3);
    this.#model.advanceCycle();
  }

  #enterRefill(): void {
    this.#enter("refill");
    this.#limits.onProbe();
  }

  #enterUp(): void {
    this.#enter("up");
    this.#rateBeforeProbe = this.rate;
    this.#pipe.restart(this.rate);
  }

  #foundMore({ rttMs }: AckReport): boolean {
    const queue = rttMs === undefined || rttMs > NO_QUEUE * this.#model.minRttMs + TIMER_MS;
    return !queue && this.rate > FOUND_MORE * this.#rateBeforeProbe;
  }

  #timeToProbe(now: Instant): boolean {
    const rounds = this.#model.rounds - this.#stateRound;
    return this.#schedule.due(now) || (this.#state === "cruise" && this.#schedule.enough(rounds, this.#packets));
  }

  get #packets(): number {
    return this.#inFlight(1) / this.#maxDatagram;
  }

  #raiseCeiling({ inFlightBefore, ackedBytes }: AckReport): boolean {
    return this.#limits.raise(inFlightBefore, ackedBytes, this.#model.roundStarted, this.#maxDatagram);
  }

  /** Now and then little is sent, so that the queue empties and shows the path's own round trip. */
  #maybeProbeRtt({ now, inFlight, rttMs }: AckReport): void {
    if (!this.#probeRtt) {
      if (!this.#model.minRttExpired || this.#state === "startup") return;
      this.#probeRtt = new ProbeRtt(this.#window);
      this.#enter("probeRtt");
      return;
    }
    const own = this.#probeRtt.onAck(now, inFlight <= this.#probeRttWindow, rttMs);
    if (!own) return;
    this.#model.onProbedRtt(own, now);
    this.#window = this.#probeRtt.window;
    this.#probeRtt = undefined;
    this.#enter("cruise");
  }

  #setPacing(): void {
    const rate = GAINS[this.#state].pacing * this.rate * PACING_MARGIN;
    // Early samples are of small flights: they may only make us faster.
    if (rate > 0 && (this.#pipeFilled || rate > this.#pacing)) this.#pacing = rate;
  }

  #setWindow({ ackedBytes, delivered }: AckReport): void {
    const target =
      this.#state === "probeRtt" ? this.#probeRttWindow : this.#inFlight(windowGain(this.#state, this.#model.minRttMs));
    if (this.#pipeFilled) this.#window = Math.min(this.#window + ackedBytes, target);
    else if (this.#window < target || delivered < 2 * initialWindow(this.#maxDatagram)) this.#window += ackedBytes;
    this.#window = Math.max(Math.min(this.#window, this.#limit(target)), this.#minimum);
  }

  #limit(target: number): number {
    if (this.#state === "probeRtt") return target;
    return this.#state === "cruise" || this.#state === "down" ? this.#limits.withHeadroom : this.#limits.whole;
  }
}

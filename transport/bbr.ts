import type { Instant } from "#kernel/ports.js";
import { type AckReport, type CongestionController, initialWindow } from "./congestion.js";
import { FullPipe } from "./fullPipe.js";
import { windowRate } from "./pacer.js";
import { PathModel, tooMany } from "./pathModel.js";
import type { RttEstimator } from "./rtt.js";
import type { SentPacket } from "./sentPacket.js";

const BETA = 0.7;
const OVERFLOW_BETA = 0.85;
/** Left free for others while cruising below a known limit. */
const HEADROOM = 0.85;
const PACING_MARGIN = 0.99;
/** Timers fire a millisecond late and ACKs wait for one: so much may be out beyond the path's own round trip. */
const TIMER_MS = 2;
const STARTUP_LOSSES = 6;
/** Less of the window than this in flight: not the path was slow, but we were (a cold or busy program). */
const WINDOW_USED = 0.7;
/** A probe that finds so much more, with no queue, has found that the search ended too early. */
const FOUND_MORE = 1.2;
const NO_QUEUE = 1.25;
const PROBE_RTT_MS = 200;
const PROBE_WAIT_MS = 2000;
const PROBE_WAIT_SPREAD_MS = 1000;
/** Times so long when the probe overflowed the queue: a CUBIC flow beside us takes seconds to come back from that. */
const AFTER_OVERFLOW = 2;
const FEW_LOSSES = 3;
/** Startup that lost nothing may have ended by bad luck, so the first probe comes soon; each later one after twice as many rounds. */
const FIRST_PROBE_ROUNDS = 4;
/** A Reno flow beside us would be back after so many rounds. */
const MAX_PROBE_ROUNDS = 62;
const MIN_WINDOW_PACKETS = 4;

type State = "startup" | "drain" | "down" | "cruise" | "refill" | "up" | "probeRtt";

/** How much faster than the path's rate we send, and how many bandwidth-delay products may be out. */
const GAINS: Readonly<Record<State, { readonly pacing: number; readonly window: number }>> = {
  startup: { pacing: 2.77, window: 2 },
  drain: { pacing: 0.5, window: 2 },
  down: { pacing: 0.9, window: 2 },
  cruise: { pacing: 1, window: 2 },
  refill: { pacing: 1, window: 2 },
  up: { pacing: 1.25, window: 2.25 },
  probeRtt: { pacing: 1, window: 0.5 },
};

/** What a loss overwrites, in case it was none. */
interface Limits {
  readonly ceiling: number;
  readonly shortCeiling: number;
  readonly shortRate: number;
}

/**
 * Sends at the rate at which the path delivers, with little more in flight than it holds (after draft-ietf-ccwg-bbr).
 * Loss alone is no reason to slow down until it passes two per cent: PROTOCOL.md §6.3.
 */
export class Bbr implements CongestionController {
  readonly name = "bbr";
  #maxDatagram: number;
  #window: number;
  readonly #model = new PathModel();
  #state: State = "startup";
  #pacing = 0;
  readonly #pipe = new FullPipe();
  #pipeFilled = false;
  /** In flight at most, learned from the overload before last; infinite: unknown. */
  #ceiling = Number.POSITIVE_INFINITY;
  /** The same until the next probe only, and the rate that goes with it. */
  #shortCeiling = Number.POSITIVE_INFINITY;
  #shortRate = Number.POSITIVE_INFINITY;
  #before: Limits | undefined;
  /** Losses of packets that left before are the work of a probe, and have been judged with it. */
  #judgeFrom: Instant = Number.NEGATIVE_INFINITY;
  #cycleStart: Instant = 0;
  #probeAfterMs = 0;
  #probeAfterRounds = FIRST_PROBE_ROUNDS;
  #stateRound = 0;
  #ceilingGrowth = 1;
  #rateBeforeProbe = 0;
  #probeRtt: { until: Instant | undefined; lowest: number; back: State } | undefined;

  constructor(maxDatagram: number) {
    this.#maxDatagram = maxDatagram;
    this.#window = initialWindow(maxDatagram);
  }

  get window(): number {
    return this.#window;
  }

  get state(): State {
    return this.#state;
  }

  get rate(): number {
    return Math.min(this.#model.rate, this.#shortRate);
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
    if (!this.#before) return;
    this.#ceiling = Math.max(this.#ceiling, this.#before.ceiling);
    this.#shortCeiling = Math.max(this.#shortCeiling, this.#before.shortCeiling);
    this.#shortRate = Math.max(this.#shortRate, this.#before.shortRate);
    this.#before = undefined;
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
    const { minRttMs, aggregation } = this.#model;
    if (!Number.isFinite(minRttMs) || this.rate === 0) return Math.max(this.#window, this.#minimum);
    return Math.max(this.rate * (gain * minRttMs + TIMER_MS) + aggregation, this.#minimum);
  }

  #onRound(report: AckReport): void {
    if (!this.#pipeFilled) {
      this.#checkPipe(report);
      return;
    }
    if (!this.#model.squeezed) return;
    if (this.#probing) {
      if (this.#model.overloaded) this.#onProbeOverflow(report);
      return;
    }
    this.#remember();
    const { rate, delivered } = this.#model.last;
    this.#shortRate = Math.max(rate, BETA * this.rate);
    this.#shortCeiling = Math.max(delivered, BETA * Math.min(this.#shortCeiling, this.#window), this.#minimum);
  }

  get #probing(): boolean {
    return this.#state === "up" || this.#state === "refill";
  }

  #remember(): void {
    this.#before = { ceiling: this.#ceiling, shortCeiling: this.#shortCeiling, shortRate: this.#shortRate };
  }

  #onProbeOverflow(report: AckReport): void {
    this.#remember();
    const inFlight = report.acked[report.acked.length - 1]?.inFlight ?? report.inFlightBefore;
    this.#ceiling = Math.max(inFlight * OVERFLOW_BETA, this.#inFlight(1), this.#minimum);
    this.#enterDown(report.now, true);
  }

  /** The pipe is full when its rate stops growing, or when startup overflows the queue. */
  #checkPipe({ inFlightBefore }: AckReport): void {
    const { last, overloaded, rate, appLimited } = this.#model;
    if (overloaded && last.losses >= STARTUP_LOSSES) {
      this.#remember();
      this.#pipeFilled = true;
      this.#ceiling = Math.max(last.delivered, this.#inFlight(1));
    } else if (!appLimited && inFlightBefore >= WINDOW_USED * this.#window) this.#pipeFilled = this.#pipe.onRound(rate);
  }

  #move(report: AckReport): void {
    const { now, inFlight } = report;
    const rounds = this.#model.rounds - this.#stateRound;
    switch (this.#state) {
      case "startup":
        if (!this.#pipeFilled) break;
        this.#judgeFrom = now;
        this.#probeAfterRounds = Number.isFinite(this.#ceiling) ? MAX_PROBE_ROUNDS : FIRST_PROBE_ROUNDS;
        this.#enter("drain");
        break;
      case "drain":
        if (inFlight <= this.#inFlight(1)) this.#enterDown(now);
        break;
      case "down":
        if (this.#timeToProbe(now)) this.#enterRefill();
        else if (inFlight <= Math.min(this.#inFlight(1), this.#ceiling * HEADROOM)) this.#enter("cruise");
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

  #enter(state: State): void {
    this.#state = state;
    this.#stateRound = this.#model.rounds;
  }

  #enterDown(now: Instant, overflow = false): void {
    if (this.#probing) {
      this.#judgeFrom = now;
      this.#probeAfterRounds = Math.min(2 * this.#probeAfterRounds, MAX_PROBE_ROUNDS);
    }
    this.#enter("down");
    this.#cycleStart = now;
    // Spread, so that flows that met once do not probe together for ever; the byte count is as good as a die.
    const spread = ((this.#model.last.delivered >>> 3) % 1000) / 1000;
    this.#probeAfterMs = (overflow ? AFTER_OVERFLOW : 1) * (PROBE_WAIT_MS + spread * PROBE_WAIT_SPREAD_MS);
    this.#model.advanceCycle();
  }

  #enterRefill(): void {
    this.#enter("refill");
    this.#shortRate = Number.POSITIVE_INFINITY;
    this.#shortCeiling = Number.POSITIVE_INFINITY;
  }

  #enterUp(): void {
    this.#enter("up");
    this.#rateBeforeProbe = this.rate;
    this.#ceilingGrowth = 1;
    this.#pipe.restart(this.rate);
  }

  #foundMore({ rttMs }: AckReport): boolean {
    const queue = rttMs === undefined || rttMs > NO_QUEUE * this.#model.minRttMs + TIMER_MS;
    return !queue && this.rate > FOUND_MORE * this.#rateBeforeProbe;
  }

  #timeToProbe(now: Instant): boolean {
    const rounds = this.#model.rounds - this.#stateRound;
    const enough = Math.min(this.#probeAfterRounds, this.#inFlight(1) / this.#maxDatagram);
    return now - this.#cycleStart > this.#probeAfterMs || (this.#state === "cruise" && rounds > enough);
  }

  /** While probing and at the ceiling, it rises: slowly at first, faster with each round. True while it is what holds us. */
  #raiseCeiling({ inFlightBefore, ackedBytes }: AckReport): boolean {
    if (!Number.isFinite(this.#ceiling) || inFlightBefore < this.#ceiling * 0.9) return false;
    if (this.#model.roundStarted) this.#ceilingGrowth *= 2;
    this.#ceiling += (ackedBytes * this.#ceilingGrowth * this.#maxDatagram) / this.#ceiling;
    return true;
  }

  /** Now and then little is sent, so that the queue empties and shows the path's own round trip. */
  #maybeProbeRtt({ now, inFlight, rttMs }: AckReport): void {
    const probe = this.#probeRtt;
    if (!probe) {
      if (!this.#model.minRttExpired || this.#state === "startup") return;
      const back = this.#pipeFilled ? "cruise" : "startup";
      this.#probeRtt = { until: undefined, lowest: Number.POSITIVE_INFINITY, back };
      this.#enter("probeRtt");
      return;
    }
    if (probe.until === undefined && inFlight <= this.#probeRttWindow) probe.until = now + PROBE_RTT_MS;
    if (probe.until !== undefined && rttMs !== undefined) probe.lowest = Math.min(probe.lowest, rttMs);
    if (probe.until === undefined || now < probe.until || !Number.isFinite(probe.lowest)) return;
    this.#model.setMinRtt(probe.lowest, now);
    this.#probeRtt = undefined;
    this.#enter(probe.back);
  }

  #setPacing(): void {
    const rate = GAINS[this.#state].pacing * this.rate * PACING_MARGIN;
    // Early samples are of small flights: they may only make us faster.
    if (rate > 0 && (this.#pipeFilled || rate > this.#pacing)) this.#pacing = rate;
  }

  #setWindow({ ackedBytes, delivered }: AckReport): void {
    const target = this.#state === "probeRtt" ? this.#probeRttWindow : this.#inFlight(GAINS[this.#state].window);
    if (this.#pipeFilled) this.#window = Math.min(this.#window + ackedBytes, target);
    else if (this.#window < target || delivered < 2 * initialWindow(this.#maxDatagram)) this.#window += ackedBytes;
    this.#window = Math.max(Math.min(this.#window, this.#limit(target)), this.#minimum);
  }

  #limit(target: number): number {
    if (this.#state === "probeRtt") return target;
    const ceiling = this.#state === "cruise" || this.#state === "down" ? this.#ceiling * HEADROOM : this.#ceiling;
    return Math.min(ceiling, this.#shortCeiling);
  }
}

import type { Instant } from "#kernel/ports.js";
import { type AckReport, type CongestionController, initialWindow } from "./congestion.js";
import { windowRate } from "./pacer.js";
import { PathModel } from "./pathModel.js";
import type { RttEstimator } from "./rtt.js";
import type { SentPacket } from "./sentPacket.js";

const BETA = 0.7;
/** Left free for others while cruising below a known limit. */
const HEADROOM = 0.85;
const PACING_MARGIN = 0.99;
/** Timers fire a millisecond late and ACKs wait for one: so much may be out beyond the path's own round trip. */
const TIMER_MS = 2;
const FULL_PIPE_GROWTH = 1.25;
const FULL_PIPE_ROUNDS = 3;
const STARTUP_LOSSES = 6;
/** Less of the window than this in flight: not the path was slow, but we were (a cold or busy program). */
const WINDOW_USED = 0.7;
/** A probe that finds so much more, with no queue, has found that the search ended too early. */
const FOUND_MORE = 1.2;
const NO_QUEUE = 1.25;
const PROBE_RTT_MS = 200;
const PROBE_WAIT_MS = 2000;
const PROBE_WAIT_SPREAD_MS = 1000;
/** A Reno flow beside us would be back after so many rounds. */
const MAX_PROBE_ROUNDS = 32;
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
  /** Fastest rate when growth was last seen, and rounds since. */
  #fullRate = 0;
  #fullRounds = 0;
  #pipeFilled = false;
  /** In flight at most, learned from the overload before last; infinite: unknown. */
  #ceiling = Number.POSITIVE_INFINITY;
  /** The same until the next probe only, and the rate that goes with it. */
  #shortCeiling = Number.POSITIVE_INFINITY;
  #shortRate = Number.POSITIVE_INFINITY;
  #before: Limits | undefined;
  #cycleStart: Instant = 0;
  #probeAfterMs = 0;
  #stateRound = 0;
  #stateStart: Instant = 0;
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
    let bytes = 0;
    for (const packet of lost) bytes += packet.size;
    this.#model.onLost(bytes, lost.length);
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

  /** Bytes that fill the path `gain` times, and what timers and aggregation add. */
  #inFlight(gain: number): number {
    const { minRttMs, aggregation } = this.#model;
    if (!Number.isFinite(minRttMs) || this.rate === 0) return Math.max(this.#window, this.#minimum);
    return Math.max(this.rate * (gain * minRttMs + TIMER_MS) + aggregation, this.#minimum);
  }

  #onRound(report: AckReport): void {
    if (!this.#pipeFilled) this.#checkPipe(report);
    if (!this.#model.overloaded) return;
    this.#before = { ceiling: this.#ceiling, shortCeiling: this.#shortCeiling, shortRate: this.#shortRate };
    if (this.#state === "up" || this.#state === "refill") {
      const inFlight = report.acked[report.acked.length - 1]?.inFlight ?? report.inFlightBefore;
      this.#ceiling = Math.max(inFlight * (1 - 0.02), BETA * this.#inFlight(1), this.#minimum);
      this.#enterDown(report.now);
    } else if (this.#pipeFilled) {
      const { rate, delivered } = this.#model.last;
      this.#shortRate = Math.max(rate, BETA * this.rate);
      this.#shortCeiling = Math.max(delivered, BETA * Math.min(this.#shortCeiling, this.#window), this.#minimum);
    }
  }

  /** The pipe is full when three rounds brought less than a quarter more, or when startup overflows the queue. */
  #checkPipe({ inFlightBefore }: AckReport): void {
    const { last, overloaded, rate, appLimited } = this.#model;
    if (overloaded && last.losses >= STARTUP_LOSSES) {
      this.#pipeFilled = true;
      this.#ceiling = Math.max(last.delivered, this.#inFlight(1));
      return;
    }
    if (appLimited || inFlightBefore < WINDOW_USED * this.#window) return;
    if (rate >= FULL_PIPE_GROWTH * this.#fullRate) {
      this.#fullRate = rate;
      this.#fullRounds = 0;
    } else if (++this.#fullRounds >= FULL_PIPE_ROUNDS) this.#pipeFilled = true;
  }

  #move(report: AckReport): void {
    const { now, inFlight } = report;
    const rounds = this.#model.rounds - this.#stateRound;
    switch (this.#state) {
      case "startup":
        if (this.#pipeFilled) this.#enter("drain", now);
        break;
      case "drain":
        if (inFlight <= this.#inFlight(1)) this.#enterDown(now);
        break;
      case "down":
        if (this.#timeToProbe(now)) this.#enterRefill(now);
        else if (inFlight <= Math.min(this.#inFlight(1), this.#ceiling * HEADROOM)) this.#enter("cruise", now);
        break;
      case "cruise":
        if (this.#timeToProbe(now)) this.#enterRefill(now);
        break;
      case "refill":
        if (rounds >= 1 && this.#model.roundStarted) this.#enterUp(now);
        break;
      case "up":
        this.#raiseCeiling(report);
        if (this.#foundMore(report)) {
          this.#pipeFilled = false;
          this.#fullRate = this.rate;
          this.#fullRounds = 0;
          this.#enter("startup", now);
          break;
        }
        if (now - this.#stateStart > this.#model.minRttMs && rounds >= 2 && inFlight >= this.#inFlight(1.25) * 0.9)
          this.#enterDown(now);
        else if (rounds >= 4) this.#enterDown(now);
        break;
      default:
    }
  }

  #enter(state: State, now: Instant): void {
    this.#state = state;
    this.#stateStart = now;
    this.#stateRound = this.#model.rounds;
  }

  #enterDown(now: Instant): void {
    this.#enter("down", now);
    this.#cycleStart = now;
    // Spread, so that flows that met once do not probe together for ever; the byte count is as good as a die.
    const spread = ((this.#model.last.delivered >>> 3) % 1000) / 1000;
    this.#probeAfterMs = PROBE_WAIT_MS + spread * PROBE_WAIT_SPREAD_MS;
    this.#model.advanceCycle();
  }

  #enterRefill(now: Instant): void {
    this.#enter("refill", now);
    this.#shortRate = Number.POSITIVE_INFINITY;
    this.#shortCeiling = Number.POSITIVE_INFINITY;
  }

  #enterUp(now: Instant): void {
    this.#enter("up", now);
    this.#rateBeforeProbe = this.rate;
    this.#ceilingGrowth = 1;
  }

  #foundMore({ rttMs }: AckReport): boolean {
    const queue = rttMs === undefined || rttMs > NO_QUEUE * this.#model.minRttMs + TIMER_MS;
    return !queue && this.rate > FOUND_MORE * this.#rateBeforeProbe;
  }

  #timeToProbe(now: Instant): boolean {
    const rounds = this.#model.rounds - this.#stateRound;
    const enough = Math.min(MAX_PROBE_ROUNDS, this.#inFlight(1) / this.#maxDatagram);
    return now - this.#cycleStart > this.#probeAfterMs || (this.#state === "cruise" && rounds > enough);
  }

  /** While probing and at the ceiling, it rises: slowly at first, faster with each round. */
  #raiseCeiling({ inFlightBefore, ackedBytes }: AckReport): void {
    if (!Number.isFinite(this.#ceiling) || inFlightBefore < this.#ceiling * 0.9) return;
    if (this.#model.roundStarted) this.#ceilingGrowth *= 2;
    this.#ceiling += (ackedBytes * this.#ceilingGrowth * this.#maxDatagram) / this.#ceiling;
  }

  /** Now and then little is sent, so that the queue empties and shows the path's own round trip. */
  #maybeProbeRtt({ now, inFlight, rttMs }: AckReport): void {
    const probe = this.#probeRtt;
    if (!probe) {
      if (!this.#model.minRttExpired || this.#state === "startup") return;
      const back = this.#pipeFilled ? "cruise" : "startup";
      this.#probeRtt = { until: undefined, lowest: Number.POSITIVE_INFINITY, back };
      this.#enter("probeRtt", now);
      return;
    }
    if (probe.until === undefined && inFlight <= this.#inFlight(GAINS.probeRtt.window))
      probe.until = now + PROBE_RTT_MS;
    if (probe.until !== undefined && rttMs !== undefined) probe.lowest = Math.min(probe.lowest, rttMs);
    if (probe.until === undefined || now < probe.until || !Number.isFinite(probe.lowest)) return;
    this.#model.setMinRtt(probe.lowest, now);
    this.#probeRtt = undefined;
    this.#enter(probe.back, now);
  }

  #setPacing(): void {
    const rate = GAINS[this.#state].pacing * this.rate * PACING_MARGIN;
    // Early samples are of small flights: they may only make us faster.
    if (rate > 0 && (this.#pipeFilled || rate > this.#pacing)) this.#pacing = rate;
  }

  #setWindow({ ackedBytes, delivered }: AckReport): void {
    const target = this.#inFlight(GAINS[this.#state].window);
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

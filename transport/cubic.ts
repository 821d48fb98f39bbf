import type { Instant } from "#kernel/ports.js";
import { type AckReport, type CongestionController, initialWindow } from "./congestion.js";
import { HyStart } from "./hyStart.js";
import { windowRate } from "./pacer.js";
import type { RttEstimator } from "./rtt.js";
import type { SentPacket } from "./sentPacket.js";

// RFC 9438 §4.1, §4.6
const C = 0.4;
const BETA = 0.7;
const RENO_ALPHA = (3 * (1 - BETA)) / (1 + BETA);

/** What a loss overwrites, in case it was none. Windows in packets. */
interface State {
  readonly window: number;
  readonly threshold: number;
  readonly largestWindow: number;
}

/** CUBIC (RFC 9438) with HyStart++. Counts windows in full packets, as the RFC does. */
export class Cubic implements CongestionController {
  readonly name = "cubic";
  #maxDatagram: number;
  #window: number;
  #threshold = Number.POSITIVE_INFINITY;
  #hyStart = new HyStart();
  #largestSent = -1;
  #recoveryStart: Instant = Number.NEGATIVE_INFINITY;
  /** W_max, W_est, K (ms) and when the current epoch began. */
  #largestWindow = 0;
  #renoWindow = 0;
  #inflection = 0;
  #epochStart: Instant | undefined;
  #lastAckAt: Instant = 0;
  #before: State | undefined;

  constructor(maxDatagram: number) {
    this.#maxDatagram = maxDatagram;
    this.#window = initialWindow(maxDatagram) / maxDatagram;
  }

  get window(): number {
    return this.#window * this.#maxDatagram;
  }

  get inSlowStart(): boolean {
    return this.#window < this.#threshold;
  }

  get state(): string {
    return this.inSlowStart ? "slow_start" : "congestion_avoidance";
  }

  pacingRate(rtt: RttEstimator): number {
    return windowRate(this.window, rtt.smoothed, this.inSlowStart);
  }

  onSent(packet: SentPacket): void {
    this.#largestSent = packet.number;
  }

  onAck(report: AckReport, rtt: RttEstimator): void {
    const newest = report.acked[report.acked.length - 1];
    if (!newest) return;
    let packets = 0;
    for (const { sentAt, size } of report.acked) if (sentAt > this.#recoveryStart) packets += size / this.#maxDatagram;
    // RFC 9438 §5.8: time in which the application had little to say is no time.
    const idle = newest.appLimited || report.inFlightBefore < this.window / 2;
    if (idle && this.#epochStart !== undefined) this.#epochStart += report.now - this.#lastAckAt;
    this.#lastAckAt = report.now;
    if (idle || packets === 0) return;
    if (this.inSlowStart) this.#slowStart(newest.number, packets, report.rttMs);
    else this.#avoidCongestion(packets, report.now, rtt.smoothed);
  }

  onLost(lost: readonly SentPacket[], now: Instant): void {
    const newest = lost[lost.length - 1];
    if (!newest || newest.sentAt <= this.#recoveryStart) return;
    this.#before = { window: this.#window, threshold: this.#threshold, largestWindow: this.#largestWindow };
    this.#recoveryStart = now;
    // §4.7: a flow that loses before it regains its window leaves room for others.
    this.#largestWindow = this.#window < this.#largestWindow ? (this.#window * (1 + BETA)) / 2 : this.#window;
    this.#threshold = Math.max(this.#window * BETA, 2);
    this.#window = this.#threshold;
    this.#epochStart = undefined;
  }

  onSpuriousLoss(): void {
    if (!this.#before) return;
    const { window, threshold, largestWindow } = this.#before;
    this.#window = Math.max(this.#window, window);
    this.#threshold = threshold;
    this.#largestWindow = largestWindow;
    this.#recoveryStart = Number.NEGATIVE_INFINITY;
    this.#epochStart = undefined;
    this.#before = undefined;
  }

  onPersistentCongestion(): void {
    this.#threshold = Math.max(this.#window * BETA, 2);
    this.#window = 2;
    this.#hyStart = new HyStart();
    this.#recoveryStart = Number.NEGATIVE_INFINITY;
    this.#epochStart = undefined;
    this.#before = undefined;
  }

  setMaxDatagram(size: number): void {
    const factor = this.#maxDatagram / size;
    this.#window = Math.max(this.#window * factor, 2);
    this.#largestWindow *= factor;
    this.#renoWindow *= factor;
    this.#threshold *= factor;
    this.#maxDatagram = size;
  }

  #slowStart(largestAcked: number, packets: number, rttMs: number | undefined): void {
    this.#window += packets / this.#hyStart.divisor;
    if (this.#hyStart.onAck(largestAcked, this.#largestSent, rttMs)) this.#threshold = this.#window;
  }

  #avoidCongestion(packets: number, now: Instant, smoothedRttMs: number): void {
    if (this.#epochStart === undefined) {
      this.#epochStart = now;
      this.#renoWindow = this.#window;
      this.#largestWindow = Math.max(this.#largestWindow, this.#window);
      this.#inflection = 1000 * Math.cbrt((this.#largestWindow - this.#window) / C);
    }
    const elapsed = now - this.#epochStart;
    // §4.3: never slower than Reno would be.
    const alpha = this.#renoWindow < this.#largestWindow ? RENO_ALPHA : 1;
    this.#renoWindow += (alpha * packets) / this.#window;
    if (this.#cubic(elapsed) < this.#renoWindow) {
      this.#window = Math.max(this.#window, this.#renoWindow);
      return;
    }
    const target = Math.min(Math.max(this.#cubic(elapsed + smoothedRttMs), this.#window), 1.5 * this.#window);
    this.#window += ((target - this.#window) / this.#window) * packets;
  }

  /** W_cubic(t), §4.2. */
  #cubic(ms: number): number {
    return C * ((ms - this.#inflection) / 1000) ** 3 + this.#largestWindow;
  }
}

import type { Instant } from "#kernel/ports.js";
import { type AckReport, type CongestionController, initialWindow } from "./congestion.js";
import { windowRate } from "./pacer.js";
import type { RttEstimator } from "./rtt.js";
import type { SentPacket } from "./sentPacket.js";

const LOSS_REDUCTION = 0.5;

/** RFC 9002 §7 and appendix B. The plainest controller, and the oracle for the others. */
export class NewReno implements CongestionController {
  readonly name = "newreno";
  #maxDatagram: number;
  #window: number;
  #threshold = Number.POSITIVE_INFINITY;
  #recoveryStart: Instant = Number.NEGATIVE_INFINITY;
  #before: { readonly window: number; readonly threshold: number } | undefined;

  constructor(maxDatagram: number) {
    this.#maxDatagram = maxDatagram;
    this.#window = initialWindow(maxDatagram);
  }

  get window(): number {
    return this.#window;
  }

  get inSlowStart(): boolean {
    return this.#window < this.#threshold;
  }

  get state(): string {
    return this.inSlowStart ? "slow_start" : "congestion_avoidance";
  }

  pacingRate(rtt: RttEstimator): number {
    return windowRate(this.#window, rtt.smoothed, this.inSlowStart);
  }

  onSent(): void {}

  onAck({ acked }: Pick<AckReport, "acked">): void {
    for (const packet of acked) {
      // RFC 9002 §7.8: with less than a window in flight, the acknowledgement proves nothing.
      if (packet.appLimited || packet.sentAt <= this.#recoveryStart) continue;
      if (this.inSlowStart) this.#window += packet.size;
      else this.#window += (this.#maxDatagram * packet.size) / this.#window;
    }
  }

  onLost(lost: readonly SentPacket[], now: Instant): void {
    const newest = lost[lost.length - 1];
    if (!newest || newest.sentAt <= this.#recoveryStart) return;
    this.#before = { window: this.#window, threshold: this.#threshold };
    this.#recoveryStart = now;
    this.#threshold = Math.max(this.#window * LOSS_REDUCTION, this.#minimum());
    this.#window = this.#threshold;
  }

  onSpuriousLoss(): void {
    if (!this.#before) return;
    this.#window = Math.max(this.#window, this.#before.window);
    this.#threshold = this.#before.threshold;
    this.#recoveryStart = Number.NEGATIVE_INFINITY;
    this.#before = undefined;
  }

  onPersistentCongestion(): void {
    this.#window = this.#minimum();
    this.#recoveryStart = Number.NEGATIVE_INFINITY;
    this.#before = undefined;
  }

  setMaxDatagram(size: number): void {
    this.#maxDatagram = size;
    this.#window = Math.max(this.#window, this.#minimum());
  }

  #minimum(): number {
    return 2 * this.#maxDatagram;
  }
}

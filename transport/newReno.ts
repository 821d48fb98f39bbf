import type { Instant } from "#kernel/ports.js";
import type { CongestionController, PacketReport } from "./congestion.js";

const LOSS_REDUCTION = 0.5;

/** RFC 9002 §7 and appendix B. The plainest controller, and the oracle for later ones. */
export class NewReno implements CongestionController {
  readonly name = "newreno";
  readonly #maxDatagram: number;
  #window: number;
  #threshold = Number.POSITIVE_INFINITY;
  #recoveryStart: Instant = Number.NEGATIVE_INFINITY;

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

  onAcked(packet: PacketReport, appLimited: boolean): void {
    if (appLimited || packet.sentAt <= this.#recoveryStart) return;
    if (this.inSlowStart) this.#window += packet.size;
    else this.#window += (this.#maxDatagram * packet.size) / this.#window;
  }

  onCongestion(newestLost: PacketReport, now: Instant): void {
    if (newestLost.sentAt <= this.#recoveryStart) return;
    this.#recoveryStart = now;
    this.#threshold = Math.max(this.#window * LOSS_REDUCTION, this.#minimum());
    this.#window = this.#threshold;
  }

  onPersistentCongestion(): void {
    this.#window = this.#minimum();
    this.#recoveryStart = Number.NEGATIVE_INFINITY;
  }

  #minimum(): number {
    return 2 * this.#maxDatagram;
  }
}

/** RFC 9002 §7.2. */
export function initialWindow(maxDatagram: number): number {
  return Math.min(10 * maxDatagram, Math.max(2 * maxDatagram, 14_720));
}

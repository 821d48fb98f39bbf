import { TRANSPORT_ERROR, TransportError } from "./errors.js";
import type { AckFrame } from "./frames.js";

/** Skipped numbers to remember: a peer that acknowledges blindly meets one of them soon. */
const MAX_SKIPPED = 16;

/** Which packet numbers have left: whatever else is acknowledged was never sent. */
export class UsedNumbers {
  #largest = -1;
  readonly #skipped: number[] = [];

  get largest(): number {
    return this.#largest;
  }

  /** Every packet sent, ack-eliciting or not. */
  onUsed(number: number): void {
    this.#largest = number;
  }

  /** This number was left out on purpose: who acknowledges it has not seen what it claims (RFC 9000 §21.4). */
  onSkipped(number: number): void {
    this.#skipped.push(number);
    if (this.#skipped.length > MAX_SKIPPED) this.#skipped.shift();
  }

  /** Throws TransportError for an ACK of a packet that was never sent. */
  check({ largest, ranges }: AckFrame): void {
    const never = largest > this.#largest || coversAny(ranges, this.#skipped);
    if (never)
      throw new TransportError(
        TRANSPORT_ERROR.PROTOCOL_VIOLATION,
        "The peer acknowledged a packet that was never sent.",
        2,
      );
  }
}

/** Whether an ACK's ranges hold one of these numbers, which rise. One walk through both. */
function coversAny(ranges: readonly number[], numbers: readonly number[]): boolean {
  let at = 0;
  for (let i = numbers.length - 1; i >= 0; i--) {
    const number = numbers[i] ?? -1;
    while (at < ranges.length && number < (ranges[at] ?? 0)) at += 2;
    if (number <= (ranges[at + 1] ?? -1)) return true;
  }
  return false;
}

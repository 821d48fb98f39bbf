import type { Instant } from "#kernel/ports.js";

/** Five Diffie-Hellmans each: so many renewals in a row, then one a second, whoever asks for them. */
const RENEWALS = 16;
const RENEWAL_MS = 1000;

/** How often keys may be renewed: PROTOCOL.md §4. */
export class Renewals {
  /** When all renewals are paid for, one a second. */
  #paidAt: Instant;

  constructor(now: Instant) {
    this.#paidAt = now;
  }

  /** When the next one may begin. */
  get from(): Instant {
    return this.#paidAt - (RENEWALS - 1) * RENEWAL_MS;
  }

  /** One begins. */
  pay(now: Instant): void {
    this.#paidAt = Math.max(this.#paidAt, now) + RENEWAL_MS;
  }
}

import type { Instant } from "#kernel/ports.js";

export const WINDOW_SECONDS = 120;
export const WINDOW_ATTEMPTS = 3;
const LOCK_MS = 60_000;
const MAX_DELAY_EXPONENT = 6;
/** The longest that a new window waits before its first attempt. */
export const MAX_DELAY_S = 60;
/** So many failures in a row, and letters are shown again only to a person who insists. */
const INSIST_AFTER = 10;

/** Counters that a restart must not reset. Failures since the last success, windows ever opened. */
export interface PairingAttempts {
  readonly failures: number;
  readonly windows: number;
}

/** When strangers may try at all, and how often: PROTOCOL.md §7. */
export class PairingWindow {
  #attempts: PairingAttempts;
  #openUntil: Instant = Number.NEGATIVE_INFINITY;
  #lockedUntil: Instant = Number.NEGATIVE_INFINITY;
  #notBefore: Instant = Number.NEGATIVE_INFINITY;
  #left = 0;

  constructor(attempts: PairingAttempts) {
    this.#attempts = attempts;
  }

  get attempts(): PairingAttempts {
    return this.#attempts;
  }

  get isOpen(): boolean {
    return this.#left > 0;
  }

  get deadline(): Instant | undefined {
    return this.isOpen ? this.#openUntil : undefined;
  }

  /** Failures that are left before a person has to insist. */
  get untilInsisting(): number {
    return Math.max(0, INSIST_AFTER - this.#attempts.failures);
  }

  /** Opens, or opens anew. Returns the counters to store. */
  open(seconds: number, attempts: number, now: Instant): PairingAttempts {
    this.#left = attempts;
    this.#openUntil = now + seconds * 1000;
    this.#lockedUntil = Number.NEGATIVE_INFINITY;
    const { failures, windows } = this.#attempts;
    const delay = failures === 0 ? 0 : Math.min(2 ** Math.min(failures, MAX_DELAY_EXPONENT), MAX_DELAY_S);
    this.#notBefore = now + delay * 1000;
    this.#attempts = { failures, windows: windows + 1 };
    return this.#attempts;
  }

  close(): void {
    this.#left = 0;
  }

  /** True once, when time has closed it. */
  expired(now: Instant): boolean {
    if (!this.isOpen || now < this.#openUntil) return false;
    this.close();
    return true;
  }

  /** For a minute after too many failures a client is told why, instead of meeting silence. */
  isLocked(now: Instant): boolean {
    return !this.isOpen && now < this.#lockedUntil;
  }

  /** Seconds to wait before the first attempt of this window; 0: none. */
  waitSeconds(now: Instant): number {
    return Math.max(0, Math.ceil((this.#notBefore - now) / 1000));
  }

  /** An attempt begins: counted as a failure before its answer leaves, so that a crash cannot hide it. */
  begin(): PairingAttempts {
    this.#attempts = { ...this.#attempts, failures: this.#attempts.failures + 1 };
    return this.#attempts;
  }

  /** The attempt made a bond. */
  succeed(): PairingAttempts {
    this.#attempts = { ...this.#attempts, failures: 0 };
    this.close();
    return this.#attempts;
  }

  /** The attempt failed. True when that was the last one this window allows. */
  fail(now: Instant): boolean {
    if (!this.isOpen) return false;
    this.#left--;
    if (this.#left > 0) return false;
    this.#lockedUntil = now + LOCK_MS;
    return true;
  }
}

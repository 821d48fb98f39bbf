import type { Instant } from "#kernel/ports.js";
import { TRANSPORT_ERROR, TransportError } from "./errors.js";
import type { MemoryPool } from "./memory.js";

/** How much we let the peer send: RFC 9000 §4. Credit comes back only when the application has read. */
export class ReceiveWindow {
  readonly #maxSize: number;
  readonly #memory: MemoryPool;
  #size: number;
  /** The window as it was last announced: smaller than `#size` while memory is short. */
  #granted: number;
  #limit: number;
  #consumed = 0;
  #highest = 0;
  #announcedAt: Instant | undefined;

  /** Sizes in bytes. The window starts at `size` and grows to `maxSize` when it limits the peer and there is memory. */
  constructor(size: number, maxSize: number, memory: MemoryPool) {
    this.#memory = memory;
    this.#size = size;
    this.#granted = size;
    this.#limit = size;
    this.#maxSize = Math.max(size, maxSize);
  }

  /** The highest offset the peer may send up to. */
  get limit(): number {
    return this.#limit;
  }

  get highest(): number {
    return this.#highest;
  }

  /** Records that bytes up to `end` were sent to us; returns how many of them are new. Throws FLOW_CONTROL_ERROR. */
  onReceived(end: number): number {
    if (end > this.#limit)
      throw new TransportError(TRANSPORT_ERROR.FLOW_CONTROL_ERROR, "The peer sent more than it was allowed to.");
    const fresh = Math.max(0, end - this.#highest);
    this.#highest += fresh;
    return fresh;
  }

  onConsumed(bytes: number): void {
    this.#consumed += bytes;
  }

  /** True when enough was read that the peer should hear of it: a quarter of the window. */
  get updateDue(): boolean {
    return this.#repeat || this.#limit - this.#consumed < 0.75 * this.#granted;
  }
  #repeat = false;

  /** The last announcement was lost. */
  repeat(): void {
    this.#repeat = true;
  }

  /** The new limit to announce. A window that was used up within four round trips doubles first (quic-go's rule). */
  announce(now: Instant, smoothedRttMs: number): number {
    const since = now - (this.#announcedAt ?? Number.NEGATIVE_INFINITY);
    const grows = !this.#repeat && since < 4 * smoothedRttMs && !this.#memory.tight;
    if (grows) this.#size = Math.min(2 * this.#size, this.#maxSize);
    this.#granted = Math.min(this.#size, this.#memory.credit);
    this.#announcedAt = now;
    this.#repeat = false;
    this.#limit = Math.max(this.#limit, this.#consumed + this.#granted);
    return this.#limit;
  }
}

/** How much the peer lets us send. */
export class SendCredit {
  #limit: number;
  #used = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get limit(): number {
    return this.#limit;
  }

  get available(): number {
    return this.#limit - this.#used;
  }

  use(bytes: number): void {
    this.#used += bytes;
  }

  /** Limits never shrink: an older frame that arrives late changes nothing (RFC 9000 §4.1). */
  raise(limit: number): boolean {
    if (limit <= this.#limit) return false;
    this.#limit = limit;
    return true;
  }
}

/** The part of a pool that is not given away: what one frame may cost beyond its bytes. */
const RESERVE = 1 / 16;
/** From this share in use on, windows grow no more. */
const TIGHT = 1 / 2;
/** The smallest window: who has read everything can always go on. */
const MIN_CREDIT = 16 * 1024;

/** Bytes that may be held for all connections of an endpoint, in one direction: PROTOCOL.md §7. */
export class MemoryPool {
  readonly limit: number;
  #used = 0;
  /** Frames that were not taken for want of memory. */
  refused = 0;
  readonly #orphans = new FinalizationRegistry<Balance>((balance) => {
    this.#used -= balance.held;
  });

  constructor(limit: number) {
    this.limit = limit;
  }

  get used(): number {
    return this.#used;
  }

  get free(): number {
    return Math.max(0, this.limit - this.limit * RESERVE - this.#used);
  }

  get tight(): boolean {
    return this.#used > this.limit * TIGHT;
  }

  /** The most that a window of the peer's may be now. */
  get credit(): number {
    return Math.max(MIN_CREDIT, this.free);
  }

  change(bytes: number): void {
    this.#used += bytes;
  }

  /** `account` belongs to nobody any more; what it holds is free when it is collected. */
  orphan(account: MemoryAccount, balance: Balance): void {
    this.#orphans.register(account, balance);
  }
}

interface Balance {
  held: number;
}

/**
 * What one connection holds of a pool. It may hold at most as much as is free for all: one that takes what it can gets half,
 * the second a third, and a newcomer always finds as much as each of those has.
 */
export class MemoryAccount {
  readonly pool: MemoryPool;
  refused = 0;
  readonly #balance: Balance = { held: 0 };

  constructor(pool: MemoryPool) {
    this.pool = pool;
  }

  get held(): number {
    return this.#balance.held;
  }

  /** True when so many bytes more may be held. */
  fits(bytes: number): boolean {
    return this.#balance.held + bytes <= this.pool.free;
  }

  /** The same; a no is counted, and the packet that asked must not be acknowledged. */
  admits(bytes: number): boolean {
    if (this.fits(bytes)) return true;
    this.refused++;
    this.pool.refused++;
    return false;
  }

  /** Negative: bytes that are free again. */
  change(bytes: number): void {
    this.#balance.held += bytes;
    this.pool.change(bytes);
  }

  /** The connection is over. What came can still be read; what nobody will read is free when nobody can. */
  abandon(): void {
    if (this.#balance.held > 0) this.pool.orphan(this, this.#balance);
  }
}

/** Both directions of a connection. */
export interface ConnectionMemory {
  readonly receiving: MemoryAccount;
  readonly sending: MemoryAccount;
}

import type { Instant } from "#kernel/ports.js";

/** Rate limits by key: `perSecond` on average, `burst` at once. Remembers a bounded number of keys, the newest. */
export class TokenBuckets {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #maxKeys: number;
  readonly #buckets = new Map<string, { tokens: number; at: Instant }>();

  constructor(perSecond: number, burst: number, maxKeys = 1024) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#maxKeys = maxKeys;
  }

  /** True when `key` may do it once more now. */
  take(key: string, now: Instant): boolean {
    const bucket = this.#buckets.get(key) ?? { tokens: this.#burst, at: now };
    bucket.tokens = Math.min(this.#burst, bucket.tokens + ((now - bucket.at) / 1000) * this.#perSecond);
    bucket.at = now;
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= this.#maxKeys) break;
      this.#buckets.delete(oldest);
    }
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }
}

/** One key for all addresses that one host can easily have: the address itself, or the /64 of IPv6. */
export function sourceKey(host: string): string {
  return host.includes(":") ? host.split(":").slice(0, 4).join(":") : host;
}

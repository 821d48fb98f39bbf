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

  /** True when `take` would succeed. */
  has(key: string, now: Instant): boolean {
    const bucket = this.#buckets.get(key);
    return !bucket || bucket.tokens + ((now - bucket.at) / 1000) * this.#perSecond >= 1;
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

const IPV4_IN_IPV6 = "::ffff:";

/** One key for all addresses that one host can easily have: the address itself, or the /64 of IPv6. */
export function sourceKey(host: string): string {
  if (!host.includes(":")) return host;
  if (host.startsWith(IPV4_IN_IPV6)) return host.slice(IPV4_IN_IPV6.length);
  // RFC 4291 §2.2: "::" stands for as many zero groups as are missing.
  const [left = "", right] = host.split("%")[0]?.split("::") ?? [];
  const head = left === "" ? [] : left.split(":");
  const tail = right === undefined || right === "" ? [] : right.split(":");
  const zeros = right === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  const groups = [...head, ...Array.from({ length: zeros }, () => "0"), ...tail];
  return groups.slice(0, 4).join(":");
}

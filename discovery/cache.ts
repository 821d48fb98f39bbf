import type { Instant, RandomSource } from "#kernel/ports.js";
import { fold } from "./names.js";
import { recordKey } from "./rdata.js";
import { type DnsQuestion, type DnsRecord, MAX_TTL } from "./records.js";

/** RFC 6762 §5.2: ask again after these parts of a record's life. */
const REFRESH_AT = [0.8, 0.85, 0.9, 0.95];
/** RFC 6762 §10.1, §10.2: what is flushed or said goodbye to is kept for one more second. */
const GRACE_MS = 1000;
/** So that not all who heard it together ask together. */
const REFRESH_JITTER = 0.02;
const MAX_SETS = 1280;

interface Cached {
  readonly record: DnsRecord;
  readonly since: Instant;
  readonly jitter: number;
  until: Instant;
  refreshes: number;
}

/** The records of one name and type by their key, in the order in which they were last heard. */
type RecordSet = Map<string, Cached>;

/** What was heard on one interface: lifetimes, flushing, refreshing, within a bounded memory. RFC 6762 §10. PROTOCOL.md §4. */
export class RecordCache {
  readonly #random: RandomSource;
  readonly #sets: Map<string, RecordSet> = new Map();

  constructor(random: RandomSource) {
    this.#random = random;
  }

  /** Takes one record in; of its name and type at most `limit` are kept, the oldest make room. */
  put(record: DnsRecord, limit: number, now: Instant): void {
    const key = recordKey(record);
    if (!key) return;
    const name = setKey(record.name, record.type);
    const set: RecordSet = this.#sets.get(name) ?? new Map();
    if (record.flush === true)
      for (const [other, cached] of set) if (other !== key && cached.since < now - GRACE_MS) doom(cached, now);
    const known = set.get(key);
    const lifetime = Math.min(record.ttl ?? 0, MAX_TTL) * 1000;
    if (lifetime <= 0) {
      if (known) doom(known, now);
      return;
    }
    set.delete(key);
    dropOldest(set, limit - 1);
    const jitter = (REFRESH_JITTER * (this.#random(1)[0] ?? 0)) / 255;
    const kept = { ...record, ttl: lifetime / 1000 };
    set.set(key, { record: kept, since: now, until: now + lifetime, jitter, refreshes: 0 });
    this.#sets.delete(name);
    dropOldest(this.#sets, MAX_SETS - 1);
    this.#sets.set(name, set);
  }

  /** The records of a name and type, newest first. Those about to go are left out while there are others. */
  get(name: string, type: string): DnsRecord[] {
    const all = [...(this.#sets.get(setKey(name, type))?.values() ?? [])].reverse();
    const staying = all.filter((cached) => !isDoomed(cached));
    return (staying.length > 0 ? staying : all).map(({ record }) => record);
  }

  has(record: DnsRecord): boolean {
    return this.#sets.get(setKey(record.name, record.type))?.has(recordKey(record) ?? "") ?? false;
  }

  /** RFC 6762 §7.1: what need not be told again, each with the rest of its life in seconds. */
  known(name: string, type: string, now: Instant): DnsRecord[] {
    return [...(this.#sets.get(setKey(name, type))?.values() ?? [])]
      .filter((cached) => cached.until - now > lifetimeOf(cached) / 2)
      .map(({ record: { flush: _, ...record }, until }) => ({ ...record, ttl: Math.floor((until - now) / 1000) }));
  }

  remove(record: DnsRecord): void {
    const set = this.#sets.get(setKey(record.name, record.type));
    set?.delete(recordKey(record) ?? "");
    if (set?.size === 0) this.#sets.delete(setKey(record.name, record.type));
  }

  /** Drops all records of a name and type. */
  forget(name: string, type: string): void {
    this.#sets.delete(setKey(name, type));
  }

  /** Drops what has outlived itself; true when there was any. */
  expire(now: Instant): boolean {
    let any = false;
    for (const [name, set] of this.#sets) {
      for (const [key, { until }] of set) if (until <= now) any = set.delete(key);
      if (set.size === 0) this.#sets.delete(name);
    }
    return any;
  }

  /** Questions for what will go soon, each name and type once. */
  refresh(now: Instant): DnsQuestion[] {
    const questions: DnsQuestion[] = [];
    for (const set of this.#sets.values()) {
      const due = [...set.values()].filter((cached) => refreshAt(cached) <= now);
      for (const cached of due) while (refreshAt(cached) <= now) cached.refreshes++;
      const [first] = due;
      if (first) questions.push({ name: first.record.name, type: first.record.type });
    }
    return questions;
  }

  /** When `expire` wants to be called. */
  get expiryAt(): Instant {
    return this.#earliest(({ until }) => until);
  }

  /** When `refresh` wants to be called. */
  get refreshAt(): Instant {
    return this.#earliest(refreshAt);
  }

  get size(): number {
    let size = 0;
    for (const set of this.#sets.values()) size += set.size;
    return size;
  }

  #earliest(when: (cached: Cached) => Instant): Instant {
    let earliest = Number.POSITIVE_INFINITY;
    for (const set of this.#sets.values()) for (const each of set.values()) earliest = Math.min(earliest, when(each));
    return earliest;
  }
}

function setKey(name: string, type: string): string {
  return `${type} ${fold(name)}`;
}

function lifetimeOf({ record }: Cached): number {
  return (record.ttl ?? 0) * 1000;
}

function isDoomed(cached: Cached): boolean {
  return cached.until < cached.since + lifetimeOf(cached);
}

function doom(cached: Cached, now: Instant): void {
  cached.until = Math.min(cached.until, now + GRACE_MS);
}

function refreshAt(cached: Cached): Instant {
  const part = REFRESH_AT[cached.refreshes];
  if (part === undefined || isDoomed(cached)) return Number.POSITIVE_INFINITY;
  return cached.since + (part + cached.jitter) * lifetimeOf(cached);
}

function dropOldest(map: Map<string, unknown>, limit: number): void {
  for (const key of map.keys()) {
    if (map.size <= limit) return;
    map.delete(key);
  }
}

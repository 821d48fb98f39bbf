import type { Instant } from "#kernel/ports.js";
import {
  type Announcement,
  type DnsPacket,
  type DnsRecord,
  decodeTxt,
  ipv4Of,
  type OutgoingPacket,
  SERVICE,
  SHARED_TTL,
  type SrvData,
  sameName,
  srvOf,
} from "./records.js";

/** RFC 6762 §5.2: ever more seldom. */
const FIRST_WAIT_MS = 1000;
const MAX_WAIT_MS = 60_000;
const MAX_INSTANCES = 256;
const MAX_HOSTS = 256;
const MAX_ADDRESSES = 16;
/** Ask again for a record when so much of its life is gone (RFC 6762 §5.2). */
const REFRESH = 0.8;

/** A device as its records describe it. Nothing here is proved. */
export interface Host {
  readonly instance: string;
  readonly port: number;
  readonly addresses: readonly string[];
  /** Only while its pairing window is open. */
  readonly name: string | undefined;
  readonly pairing: boolean;
  readonly tag: Uint8Array | undefined;
}

export type BrowserEvent =
  | { readonly type: "found" | "updated"; readonly host: Host }
  | { readonly type: "lost"; readonly instance: string };

interface Instance {
  readonly name: string;
  /** When it counts as gone. */
  until: Instant;
  refreshAt: Instant;
  srv?: SrvData;
  txt?: Announcement;
  shown?: string;
}

/** Finds devices and keeps what it found fresh: RFC 6762 querier, sans-IO. PROTOCOL.md §4. */
export class Browser {
  readonly #instances = new Map<string, Instance>();
  /** Addresses by host label. */
  readonly #hosts = new Map<string, Map<string, Instant>>();
  readonly #out: OutgoingPacket[] = [];
  readonly #events: BrowserEvent[] = [];
  #nextQueryAt: Instant;
  #wait = FIRST_WAIT_MS;

  constructor(now: Instant) {
    this.#nextQueryAt = now;
  }

  /** Another network appeared: ask there, at once. */
  askAgain(now: Instant): void {
    this.#nextQueryAt = now;
    this.#wait = FIRST_WAIT_MS;
  }

  receive(packet: DnsPacket, now: Instant): void {
    const records = [...(packet.answers ?? []), ...(packet.additionals ?? [])];
    const touched = new Set<string>();
    this.#flushAddresses(records);
    for (const record of records) this.#onRecord(record, touched, now);
    for (const key of touched) this.#show(key);
    for (const key of touched) this.#askForMissing(key);
  }

  tick(now: Instant): void {
    for (const [key, instance] of this.#instances) {
      if (now >= instance.until) this.#lose(key, instance);
      else if (now >= instance.refreshAt) {
        instance.refreshAt = Number.POSITIVE_INFINITY;
        this.#out.push(question(instance.name, "ANY"));
      }
    }
    if (now < this.#nextQueryAt) return;
    this.#nextQueryAt = now + this.#wait;
    this.#wait = Math.min(2 * this.#wait, MAX_WAIT_MS);
    this.#out.push(this.#query(now));
  }

  get deadline(): Instant {
    let earliest = this.#nextQueryAt;
    for (const { until, refreshAt } of this.#instances.values()) earliest = Math.min(earliest, until, refreshAt);
    return earliest;
  }

  nextMessage(): OutgoingPacket | undefined {
    return this.#out.shift();
  }

  nextEvent(): BrowserEvent | undefined {
    return this.#events.shift();
  }

  #onRecord(record: DnsRecord, touched: Set<string>, now: Instant): void {
    const lifetime = Math.min(Math.max(record.ttl ?? 0, 0), SHARED_TTL) * 1000;
    if (record.type === "PTR" && sameName(record.name, SERVICE)) this.#onPointer(record.data, lifetime, touched, now);
    else if (record.type === "A") this.#onAddress(record, lifetime, touched, now);
    else {
      const instance = this.#instances.get(record.name.toLowerCase());
      if (!instance || lifetime === 0) return;
      const srv = record.type === "SRV" ? srvOf(record.data) : undefined;
      const txt = record.type === "TXT" ? decodeTxt(record.data) : undefined;
      if (srv) {
        instance.srv = srv;
        // The service record lives shortest: a device that left without a goodbye is gone with it.
        keepFor(instance, lifetime, now);
      }
      if (txt) instance.txt = txt;
      touched.add(record.name.toLowerCase());
    }
  }

  #onPointer(data: unknown, lifetime: number, touched: Set<string>, now: Instant): void {
    if (typeof data !== "string" || !data.toLowerCase().endsWith(`.${SERVICE}`)) return;
    const key = data.toLowerCase();
    const known = this.#instances.get(key);
    if (lifetime === 0) {
      if (known) this.#lose(key, known);
      return;
    }
    if (!known && this.#instances.size >= MAX_INSTANCES) return;
    const instance = known ?? { name: data, until: 0, refreshAt: 0 };
    if (!instance.srv) keepFor(instance, lifetime, now);
    this.#instances.set(key, instance);
    touched.add(key);
  }

  #onAddress(record: DnsRecord, lifetime: number, touched: Set<string>, now: Instant): void {
    const address = ipv4Of(record.data);
    const key = record.name.toLowerCase();
    const addresses = this.#hosts.get(key) ?? new Map<string, Instant>();
    if (!address || (!this.#hosts.has(key) && this.#hosts.size >= MAX_HOSTS)) return;
    if (lifetime === 0) addresses.delete(address);
    else if (addresses.size < MAX_ADDRESSES || addresses.has(address)) addresses.set(address, now + lifetime);
    this.#hosts.set(key, addresses);
    for (const [name, { srv }] of this.#instances) if (srv && sameName(srv.target, key)) touched.add(name);
  }

  /** RFC 6762 §10.2: records with the flush bit replace the old ones of their name. */
  #flushAddresses(records: readonly DnsRecord[]): void {
    for (const record of records)
      if (record.type === "A" && record.flush === true) this.#hosts.get(record.name.toLowerCase())?.clear();
  }

  #show(key: string): void {
    const instance = this.#instances.get(key);
    const addresses = [...(this.#hosts.get(instance?.srv?.target.toLowerCase() ?? "")?.keys() ?? [])];
    if (!instance?.srv || !instance.txt || addresses.length === 0) return;
    const { tag, name, pairing } = instance.txt;
    const host: Host = { instance: instance.name, port: instance.srv.port, addresses, name, pairing, tag };
    const shown = JSON.stringify([host.port, addresses, name, pairing, tag ? [...tag] : 0]);
    if (shown === instance.shown) return;
    this.#events.push({ type: instance.shown === undefined ? "found" : "updated", host });
    instance.shown = shown;
  }

  #askForMissing(key: string): void {
    const instance = this.#instances.get(key);
    if (!instance || instance.shown !== undefined) return;
    if (!instance.srv || !instance.txt) this.#out.push(question(instance.name, "ANY"));
    else this.#out.push(question(instance.srv.target, "A"));
  }

  #lose(key: string, instance: Instance): void {
    this.#instances.delete(key);
    if (instance.srv) this.#hosts.delete(instance.srv.target.toLowerCase());
    if (instance.shown !== undefined) this.#events.push({ type: "lost", instance: instance.name });
  }

  #query(now: Instant): OutgoingPacket {
    // RFC 6762 §7.1: what we know well need not be told again.
    const answers = [...this.#instances.values()]
      .filter(({ shown, refreshAt }) => shown !== undefined && refreshAt > now)
      .slice(0, 32)
      .map(({ name }) => ({ name: SERVICE, type: "PTR", ttl: SHARED_TTL, data: name }));
    return { kind: "query", packet: { questions: [{ name: SERVICE, type: "PTR" }], answers } };
  }
}

function keepFor(instance: Instance, lifetime: number, now: Instant): void {
  instance.until = now + lifetime;
  instance.refreshAt = now + lifetime * REFRESH;
}

function question(name: string, type: string): OutgoingPacket {
  return { kind: "query", packet: { questions: [{ name, type }] } };
}

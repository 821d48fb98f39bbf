import type { Instant, RandomSource } from "#kernel/ports.js";
import { RecordCache } from "./cache.js";
import { isHostAddress, isOnLink, type LocalInterface } from "./ipv4.js";
import { fold, isSendableName, sameName } from "./names.js";
import { rdataOf } from "./rdata.js";
import {
  type DnsPacket,
  type DnsQuestion,
  type DnsRecord,
  type OutgoingPacket,
  type PacketOrigin,
  SERVICE,
  srvOf,
} from "./records.js";
import { decodeTxt } from "./txt.js";

// RFC 6762 §5.2
const FIRST_DELAY_MS = [20, 120] as const;
const FIRST_WAIT_MS = 1000;
const MAX_WAIT_MS = 60 * 60_000;
/** A record that did not come with the others is asked for after so long, then ever more seldom. */
const MISSING_WAIT_MS = 100;
const MAX_MISSING_TRIES = 6;
/** Between two packets that ask for more than pointers: who invents devices must not make us chatter. */
const DETAILS_WAIT_MS = 250;
// PROTOCOL.md §5
const MAX_INSTANCES = 256;
const MAX_ADDRESSES = 8;
const MAX_VERSIONS = 4;
const MAX_TXT_BYTES = 512;
const MAX_QUESTIONS = 16;
const MAX_QUERIES = 4;
const MAX_KNOWN = 16;

/** A device as its records describe it. Nothing here is proved. */
export interface Host {
  readonly instance: string;
  readonly port: number;
  /** Those on a link of ours first. */
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
  host?: Host;
  tries: number;
  askAt: Instant;
}

interface Heard {
  readonly interface: LocalInterface;
  readonly cache: RecordCache;
}

/** Finds devices and keeps what it found fresh: RFC 6762 querier, sans-IO. PROTOCOL.md §4. */
export class Browser {
  readonly #random: RandomSource;
  /** The type, or one application's subtype, that is browsed. */
  readonly #type: string;
  readonly #instances: Map<string, Instance> = new Map();
  readonly #heard: Map<string, Heard> = new Map();
  readonly #out: OutgoingPacket[] = [];
  readonly #events: BrowserEvent[] = [];
  #active = false;
  #nextQueryAt: Instant = Number.POSITIVE_INFINITY;
  #lastQueryAt: Instant = Number.NEGATIVE_INFINITY;
  #nextDetailsAt: Instant = Number.NEGATIVE_INFINITY;
  #wait = FIRST_WAIT_MS;

  constructor(random: RandomSource, type: string = SERVICE) {
    this.#random = random;
    this.#type = type;
  }

  /** An idle browser listens and asks nothing. */
  setActive(active: boolean, now: Instant): void {
    this.#active = active;
    if (active) this.#askSoon(now);
  }

  /** The networks of now: what was heard on others is forgotten, new ones are asked at once. */
  setInterfaces(interfaces: readonly LocalInterface[], now: Instant): void {
    const kept = new Map(this.#heard);
    this.#heard.clear();
    for (const each of interfaces) {
      const before = kept.get(each.name);
      const same = before && JSON.stringify(before.interface) === JSON.stringify(each);
      this.#heard.set(each.name, same ? before : { interface: each, cache: new RecordCache(this.#random) });
    }
    for (const key of this.#instances.keys()) this.#show(key);
    if (this.#active) this.#askSoon(now);
  }

  /** A response. Bytes in it are copied, nothing of the packet is kept. */
  receive(packet: DnsPacket, origin: PacketOrigin, now: Instant): void {
    const heard = this.#heard.get(origin.interface);
    if (!heard) return;
    const records = [...(packet.answers ?? []), ...(packet.additionals ?? [])].filter(
      ({ name, class: kind = "IN" }) => kind === "IN" && isSendableName(name),
    );
    const touched = new Set<string>();
    // In this order, so that a packet may hold its records in any.
    for (const record of records) this.#takePointer(record, heard.cache, touched, now);
    for (const record of records) this.#takeDescription(record, heard.cache, touched, now);
    this.#takeAddresses(records, heard, touched, now);
    for (const key of touched) this.#show(key);
  }

  tick(now: Instant): void {
    let expired = false;
    for (const { cache } of this.#heard.values()) expired = cache.expire(now) || expired;
    if (expired) this.#showAll(now);
    if (!this.#active) return;
    const periodic = now >= this.#nextQueryAt;
    if (periodic) {
      this.#lastQueryAt = now;
      this.#nextQueryAt = now + this.#wait;
      this.#wait = Math.min(2 * this.#wait, MAX_WAIT_MS);
    }
    const pointers = periodic ? [{ name: this.#type, type: "PTR" }] : [];
    const incomplete = now >= this.#nextDetailsAt ? this.#incomplete(now) : undefined;
    for (const { interface: each, cache } of this.#heard.values()) {
      const details = incomplete?.flatMap(({ name }) => this.#missing(name, cache)) ?? [];
      const refresh = incomplete ? cache.refresh(now) : [];
      this.#ask(each.name, cache, [...pointers, ...refresh, ...details], now);
      if (refresh.length + details.length > 0) this.#nextDetailsAt = now + DETAILS_WAIT_MS;
    }
    for (const instance of incomplete ?? []) instance.askAt = now + FIRST_WAIT_MS * 2 ** instance.tries++;
  }

  get deadline(): Instant {
    let earliest = Number.POSITIVE_INFINITY;
    for (const { cache } of this.#heard.values()) earliest = Math.min(earliest, cache.expiryAt);
    if (!this.#active) return earliest;
    let details = Number.POSITIVE_INFINITY;
    for (const { cache } of this.#heard.values()) details = Math.min(details, cache.refreshAt);
    for (const instance of this.#instances.values()) details = Math.min(details, askAt(instance));
    return Math.min(earliest, this.#nextQueryAt, Math.max(details, this.#nextDetailsAt));
  }

  nextMessage(): OutgoingPacket | undefined {
    return this.#out.shift();
  }

  nextEvent(): BrowserEvent | undefined {
    return this.#events.shift();
  }

  /** The devices of now. */
  get hosts(): readonly Host[] {
    return [...this.#instances.values()].flatMap(({ host }) => host ?? []);
  }

  /** Records kept, for the bound in PROTOCOL.md §5. */
  get size(): number {
    let size = 0;
    for (const { cache } of this.#heard.values()) size += cache.size;
    return size;
  }

  #takePointer(record: DnsRecord, cache: RecordCache, touched: Set<string>, now: Instant): void {
    const { data } = record;
    if (record.type !== "PTR" || !sameName(record.name, this.#type) || typeof data !== "string") return;
    const key = fold(data);
    if (!key.endsWith(`.${SERVICE}`) || !isSendableName(key)) return;
    const pointer = this.#pointer(key, record.ttl);
    if (cache.has(pointer) || (record.ttl ?? 0) > 0) {
      cache.put(pointer, MAX_INSTANCES, now);
      const instance = this.#instances.get(key) ?? { name: data, tries: 0, askAt: now + MISSING_WAIT_MS };
      // Heard last, dropped last.
      this.#instances.delete(key);
      this.#makeRoom();
      this.#instances.set(key, instance);
      touched.add(key);
    }
  }

  #takeDescription(record: DnsRecord, cache: RecordCache, touched: Set<string>, now: Instant): void {
    const { type, name } = record;
    if (type !== "SRV" && type !== "TXT") return;
    const key = fold(name);
    const rdata = this.#instances.has(key) && cache.has(this.#pointer(key)) ? rdataOf(record) : undefined;
    const srv = srvOf(record.data);
    if (!rdata || (type === "SRV" ? !srv || !isSendableName(srv.target) : rdata.length > MAX_TXT_BYTES)) return;
    cache.put({ ...record, name: key, data: type === "SRV" ? record.data : copyOf(record.data) }, MAX_VERSIONS, now);
    touched.add(key);
  }

  #takeAddresses(records: readonly DnsRecord[], heard: Heard, touched: Set<string>, now: Instant): void {
    const addresses = records.filter(
      ({ type, data }) => type === "A" && typeof data === "string" && isHostAddress(data, heard.interface.subnets),
    );
    if (addresses.length === 0) return;
    const owners = new Map<string, string[]>();
    for (const key of this.#instances.keys())
      for (const record of heard.cache.get(key, "SRV")) {
        const host = fold(srvOf(record.data)?.target ?? "");
        owners.set(host, [...(owners.get(host) ?? []), key]);
      }
    for (const record of addresses) {
      const keys = owners.get(fold(record.name));
      if (!keys) continue;
      heard.cache.put(record, MAX_ADDRESSES, now);
      for (const key of keys) touched.add(key);
    }
  }

  #pointer(instance: string, ttl = 0): DnsRecord {
    return { name: this.#type, type: "PTR", ttl, data: instance };
  }

  #makeRoom(): void {
    for (const [key, instance] of this.#instances) {
      if (this.#instances.size < MAX_INSTANCES) return;
      for (const { cache } of this.#heard.values()) cache.remove(this.#pointer(key));
      this.#lose(key, instance);
    }
  }

  /** After lifetimes ended. Who vanished without a goodbye may only have been unheard: everybody is asked again. */
  #showAll(now: Instant): void {
    const before = this.hosts.length;
    for (const key of [...this.#instances.keys()]) this.#show(key);
    if (this.#active && this.hosts.length < before) this.#askSoon(now);
  }

  /** Says what became of an instance, if anything did. */
  #show(key: string): void {
    const instance = this.#instances.get(key);
    if (!instance) return;
    if (![...this.#heard.values()].some(({ cache }) => cache.has(this.#pointer(key)))) {
      this.#lose(key, instance);
      return;
    }
    const host = this.#resolve(key, instance.name);
    const before = instance.host;
    if (!host) {
      if (before) this.#events.push({ type: "lost", instance: instance.name });
      delete instance.host;
      return;
    }
    instance.host = host;
    instance.tries = 0;
    if (!before) this.#events.push({ type: "found", host });
    else if (JSON.stringify(before) !== JSON.stringify(host)) this.#events.push({ type: "updated", host });
  }

  #lose(key: string, instance: Instance): void {
    this.#instances.delete(key);
    for (const { cache } of this.#heard.values()) cache.forget(key, ["SRV", "TXT"]);
    if (instance.host) this.#events.push({ type: "lost", instance: instance.name });
  }

  /** A device is shown when somebody on one link told where it listens, what it is, and an address. */
  #resolve(key: string, name: string): Host | undefined {
    const subnets = [...this.#heard.values()].flatMap(({ interface: each }) => each.subnets);
    const addresses = new Set<string>();
    let host: Omit<Host, "addresses"> | undefined;
    for (const { cache } of this.#heard.values()) {
      const srv = srvOf(cache.get(key, "SRV")[0]?.data);
      const txt = decodeTxt(cache.get(key, "TXT")[0]?.data);
      if (!srv || !txt || !cache.has(this.#pointer(key))) continue;
      host ??= { instance: name, port: srv.port, ...txt };
      for (const { data } of cache.get(srv.target, "A")) addresses.add(String(data));
    }
    if (!host || addresses.size === 0) return undefined;
    const near = [...addresses].filter((address) => isOnLink(address, subnets));
    return { ...host, addresses: [...new Set([...near, ...addresses])] };
  }

  #incomplete(now: Instant): Instance[] {
    return [...this.#instances.values()].filter((instance) => askAt(instance) <= now);
  }

  #missing(name: string, cache: RecordCache): DnsQuestion[] {
    const key = fold(name);
    if (!cache.has(this.#pointer(key))) return [];
    const srv = srvOf(cache.get(key, "SRV")[0]?.data);
    return [
      ...(srv ? [] : [{ name, type: "SRV" }]),
      ...(cache.get(key, "TXT").length > 0 ? [] : [{ name, type: "TXT" }]),
      ...(srv && cache.get(srv.target, "A").length === 0 ? [{ name: srv.target, type: "A" }] : []),
    ];
  }

  #ask(interfaceName: string, cache: RecordCache, wanted: readonly DnsQuestion[], now: Instant): void {
    const all = [...new Map(wanted.map((each) => [`${each.type} ${fold(each.name)}`, each])).values()];
    for (let i = 0; i < Math.min(all.length, MAX_QUERIES * MAX_QUESTIONS); i += MAX_QUESTIONS) {
      const questions = all.slice(i, i + MAX_QUESTIONS);
      // Who is not fully known yet is asked for all of it again: the answer brings the rest along.
      const answers = questions
        .filter(({ type }) => type === "PTR")
        .flatMap(({ name, type }) => cache.known(name, type, now))
        .filter(({ data }) => this.#instances.get(fold(String(data)))?.host !== undefined)
        .slice(-MAX_KNOWN);
      this.#out.push({ kind: "query", packet: { questions, answers }, interface: interfaceName });
    }
  }

  #askSoon(now: Instant): void {
    const [least, most] = FIRST_DELAY_MS;
    const delay = least + ((most - least) * (this.#random(1)[0] ?? 0)) / 255;
    this.#nextQueryAt = Math.max(now + delay, this.#lastQueryAt + FIRST_WAIT_MS);
    this.#wait = FIRST_WAIT_MS;
  }
}

function askAt({ host, tries, askAt: at }: Instance): Instant {
  return host || tries >= MAX_MISSING_TRIES ? Number.POSITIVE_INFINITY : at;
}

/** The codec's bytes are views on the packet. */
function copyOf(data: unknown): unknown {
  return Array.isArray(data) ? data.map((entry: Uint8Array) => new Uint8Array(entry)) : data;
}

import { utf8 } from "#kernel/bytes.js";
import type { Instant, RandomSource } from "#kernel/ports.js";
import { type Description, Heard, MAX_INSTANCES } from "./heard.js";
import { isOnLink, type LocalInterface } from "./localInterface.js";
import { fold, isSendableName } from "./names.js";
import { type DnsPacket, type DnsQuestion, type OutgoingPacket, type PacketOrigin, SERVICE } from "./records.js";

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
const MAX_QUESTIONS = 16;
const MAX_QUERIES = 4;
/** A packet that no link breaks up; the codec does not compress names. */
const MAX_PACKET_BYTES = 1200;

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
      this.#heard.set(each.name, same ? before : new Heard(each, this.#type, this.#random));
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
    const touched = new Set<string | undefined>();
    // In this order, so that a packet may hold its records in any.
    for (const { record, instance } of records.map((each) => ({ record: each, instance: heard.pointedTo(each) })))
      if (instance) {
        this.#touch(instance, String(record.data), now);
        heard.takePointer(instance, record.ttl ?? 0, now);
        touched.add(instance);
      }
    for (const record of records) touched.add(heard.takeDescription(record, now));
    for (const instance of heard.takeAddresses(records, now)) touched.add(instance);
    for (const instance of touched) if (instance) this.#show(instance);
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
    for (const heard of this.#heard.values()) {
      const details = incomplete?.flatMap(({ name }) => heard.missing(fold(name))) ?? [];
      const refresh = incomplete ? heard.cache.refresh(now) : [];
      this.#ask(heard, [...pointers, ...refresh, ...details], now);
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

  /** Heard last, dropped last. */
  #touch(key: string, name: string, now: Instant): void {
    const instance = this.#instances.get(key) ?? { name, tries: 0, askAt: now + MISSING_WAIT_MS };
    this.#instances.delete(key);
    for (const [oldest, { host }] of this.#instances) {
      if (this.#instances.size < MAX_INSTANCES) break;
      this.#lose(oldest, host);
    }
    this.#instances.set(key, instance);
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
    const before = instance.host;
    const host = this.#resolve(key, instance.name);
    if (![...this.#heard.values()].some((heard) => heard.knows(key))) this.#lose(key, before);
    else if (!host) {
      if (before) this.#events.push({ type: "lost", instance: instance.name });
      delete instance.host;
    } else {
      instance.host = host;
      instance.tries = 0;
      if (!before) this.#events.push({ type: "found", host });
      else if (JSON.stringify(before) !== JSON.stringify(host)) this.#events.push({ type: "updated", host });
    }
  }

  #lose(key: string, host: Host | undefined): void {
    this.#instances.delete(key);
    for (const heard of this.#heard.values()) heard.forget(key);
    if (host) this.#events.push({ type: "lost", instance: host.instance });
  }

  /** A device is shown when somebody on one link told where it listens, what it is, and an address. */
  #resolve(key: string, instance: string): Host | undefined {
    const all = [...this.#heard.values()];
    const known = all.map((heard) => heard.describe(key)).filter((each): each is Description => each !== undefined);
    const [first] = known;
    const addresses = known.flatMap((each) => each.addresses);
    if (!first || addresses.length === 0) return undefined;
    const near = addresses.filter((address) => all.some(({ interface: each }) => isOnLink(address, each)));
    return { ...first, instance, addresses: [...new Set([...near, ...addresses])] };
  }

  #incomplete(now: Instant): Instance[] {
    return [...this.#instances.values()].filter((instance) => askAt(instance) <= now);
  }

  #ask({ interface: { name: interfaceName }, cache }: Heard, wanted: readonly DnsQuestion[], now: Instant): void {
    const all = [...new Map(wanted.map((each) => [`${each.type} ${fold(each.name)}`, each])).values()];
    const pointers = all.filter(({ type }) => type === "PTR");
    if (pointers.length > 0) {
      // Who is not fully known yet is asked for all of it again: the answer brings the rest along.
      const known = pointers
        .flatMap(({ name, type }) => cache.known(name, type, now))
        .filter(({ data }) => this.#instances.get(fold(String(data)))?.host !== undefined)
        .reverse();
      const answers = fitting(known, ({ name, data }) => sizeOf(name) + sizeOf(String(data)));
      this.#out.push({ kind: "query", packet: { questions: pointers, answers }, interface: interfaceName });
    }
    let others = all.filter(({ type }) => type !== "PTR");
    for (let i = 0; i < MAX_QUERIES && others.length > 0; i++) {
      const questions = fitting(others.slice(0, MAX_QUESTIONS), ({ name }) => sizeOf(name));
      others = others.slice(questions.length);
      this.#out.push({ kind: "query", packet: { questions }, interface: interfaceName });
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

/** Bytes of a name with type, class, lifetime and length beside it. */
function sizeOf(name: string): number {
  return utf8(name).length + 16;
}

/** As many from the front as fit into a packet. */
function fitting<Item>(items: readonly Item[], size: (item: Item) => number): Item[] {
  let bytes = 0;
  const end = items.findIndex((item) => {
    bytes += size(item);
    return bytes > MAX_PACKET_BYTES;
  });
  return end < 0 ? [...items] : items.slice(0, end);
}

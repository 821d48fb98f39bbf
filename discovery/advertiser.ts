import type { Crypto } from "#crypto/crypto.js";
import { toHex } from "#kernel/bytes.js";
import type { Instant, RandomSource } from "#kernel/ports.js";
import {
  type DnsPacket,
  type DnsQuestion,
  type DnsRecord,
  encodeTxt,
  HOST_TTL,
  META,
  type OutgoingPacket,
  type PacketOrigin,
  SERVICE,
  SHARED_TTL,
  sameName,
  srvOf,
} from "./records.js";
import { makeTag } from "./tag.js";

// RFC 6762 §8.1, §8.3, §6
const PROBES = 3;
const PROBE_WAIT_MS = 250;
const ANNOUNCEMENTS = 2;
const ANNOUNCE_WAIT_MS = 1000;
const MIN_REPEAT_MS = 1000;
const SHARED_DELAY_MS = [20, 120] as const;
const ROTATE_MS = 15 * 60_000;
const LEGACY_TTL = 10;
const MDNS_PORT = 5353;

export interface AdvertiserOptions {
  readonly crypto: Crypto;
  readonly random: RandomSource;
  readonly irk: Uint8Array;
  readonly port: number;
  readonly name: string;
  readonly now: Instant;
}

/** The addresses of this machine on one network. */
export interface LocalInterface {
  readonly name: string;
  readonly addresses: readonly string[];
}

/** Announces one device and answers questions about it: RFC 6762 responder, sans-IO. PROTOCOL.md §3. */
export class Advertiser {
  readonly #options: AdvertiserOptions;
  #interfaces: readonly LocalInterface[] = [];
  #instance = "";
  #host = "";
  #tag: Uint8Array = new Uint8Array(0);
  #pairing = false;
  #probesLeft = PROBES;
  #announcementsLeft = ANNOUNCEMENTS;
  #nextAt: Instant;
  #rotateAt: Instant;
  readonly #out: OutgoingPacket[] = [];
  /** Answers that wait a moment, so that several responders do not speak at once; by interface. */
  readonly #pending = new Map<string, Instant>();
  readonly #answeredAt = new Map<string, Instant>();

  constructor(options: AdvertiserOptions) {
    this.#options = options;
    this.#nextAt = options.now;
    this.#rotateAt = options.now + ROTATE_MS;
    this.#rename();
  }

  /** The labels of now: they change with every rotation and tell nothing. */
  get labels(): { readonly instance: string; readonly host: string } {
    return { instance: this.#instance, host: this.#host };
  }

  setInterfaces(interfaces: readonly LocalInterface[], now: Instant): void {
    this.#interfaces = interfaces;
    this.#announceFrom(now);
  }

  setPairing(open: boolean, now: Instant): void {
    if (open === this.#pairing) return;
    this.#pairing = open;
    this.#announceFrom(now);
  }

  receive(packet: DnsPacket, origin: PacketOrigin, isResponse: boolean, now: Instant): void {
    if (isResponse) this.#checkConflict(packet, now);
    else if (this.#probesLeft === 0) this.#onQuery(packet, origin, now);
  }

  tick(now: Instant): void {
    for (const [name, at] of this.#pending) {
      if (at > now) continue;
      this.#pending.delete(name);
      this.#answer(name, now);
    }
    if (now >= this.#rotateAt) this.#rotate(now);
    if (now < this.#nextAt) return;
    if (this.#probesLeft > 0) this.#probe(now);
    else if (this.#announcementsLeft > 0) this.#announce(now);
  }

  get deadline(): Instant {
    const busy = this.#probesLeft > 0 || this.#announcementsLeft > 0;
    return Math.min(busy ? this.#nextAt : Number.POSITIVE_INFINITY, this.#rotateAt, ...this.#pending.values());
  }

  nextMessage(): OutgoingPacket | undefined {
    return this.#out.shift();
  }

  /** The last words: every record with a lifetime of zero (RFC 6762 §10.1). */
  goodbye(): OutgoingPacket[] {
    return this.#interfaces.map(({ name, addresses }) => {
      const answers = this.#records(addresses).map((record) => ({ ...record, ttl: 0 }));
      return { kind: "response", packet: { answers }, interface: name };
    });
  }

  #probe(now: Instant): void {
    const questions = [
      { name: this.#instance, type: "ANY" },
      { name: this.#host, type: "ANY" },
    ];
    for (const { name, addresses } of this.#interfaces) {
      // RFC 6762 §8.2: what we are about to claim; no flush bit, it is not ours yet.
      const authorities = this.#unique(addresses).map(({ flush: _, ...record }) => record);
      this.#out.push({ kind: "query", packet: { questions, authorities }, interface: name });
    }
    this.#probesLeft--;
    this.#nextAt = now + PROBE_WAIT_MS;
  }

  #announce(now: Instant): void {
    for (const { name } of this.#interfaces) this.#answer(name, now);
    this.#announcementsLeft--;
    this.#nextAt = now + ANNOUNCE_WAIT_MS;
  }

  #announceFrom(now: Instant): void {
    this.#announcementsLeft = ANNOUNCEMENTS;
    if (this.#probesLeft === 0) this.#nextAt = now;
  }

  #answer(interfaceName: string, now: Instant): void {
    const found = this.#interfaces.find(({ name }) => name === interfaceName);
    if (!found) return;
    this.#answeredAt.set(interfaceName, now);
    this.#out.push({ kind: "response", packet: { answers: this.#records(found.addresses) }, interface: interfaceName });
  }

  #onQuery(packet: DnsPacket, origin: PacketOrigin, now: Instant): void {
    const questions = (packet.questions ?? []).filter((question) => this.#isAboutUs(question));
    if (questions.length === 0 || this.#isKnown(packet, questions)) return;
    if (origin.port !== MDNS_PORT) {
      this.#answerLegacy(packet, questions, origin);
      return;
    }
    const last = this.#answeredAt.get(origin.interface) ?? Number.NEGATIVE_INFINITY;
    const [least, most] = SHARED_DELAY_MS;
    const delay = least + ((most - least) * (this.#options.random(1)[0] ?? 0)) / 255;
    const at = Math.max(now + delay, last + MIN_REPEAT_MS);
    this.#pending.set(origin.interface, Math.min(at, this.#pending.get(origin.interface) ?? at));
  }

  /** RFC 6762 §6.7: a plain DNS client gets one plain answer, at its address, soon forgotten. */
  #answerLegacy(packet: DnsPacket, questions: readonly DnsQuestion[], origin: PacketOrigin): void {
    const found = this.#interfaces.find(({ name }) => name === origin.interface);
    const answers = this.#records(found?.addresses ?? []).map(({ flush: _, ...record }) => ({
      ...record,
      ttl: LEGACY_TTL,
    }));
    const { address, port } = origin;
    const reply = { id: packet.id ?? 0, questions, answers };
    this.#out.push({ kind: "response", packet: reply, interface: origin.interface, to: { address, port } });
  }

  #isAboutUs({ name, type }: DnsQuestion): boolean {
    if (sameName(name, SERVICE) || sameName(name, META)) return type === "PTR" || type === "ANY";
    return sameName(name, this.#instance) || sameName(name, this.#host);
  }

  /** RFC 6762 §7.1: who lists our pointer with half its life left needs no answer. */
  #isKnown(packet: DnsPacket, questions: readonly DnsQuestion[]): boolean {
    const onlyPointers = questions.every(({ name }) => sameName(name, SERVICE));
    return (
      onlyPointers &&
      (packet.answers ?? []).some(
        ({ type, data, ttl }) =>
          type === "PTR" && typeof data === "string" && sameName(data, this.#instance) && (ttl ?? 0) >= SHARED_TTL / 2,
      )
    );
  }

  /** Somebody else claims our random labels: take new ones (RFC 6762 §9). */
  #checkConflict(packet: DnsPacket, now: Instant): void {
    for (const record of [...(packet.answers ?? []), ...(packet.additionals ?? [])]) {
      if (record.type !== "SRV" || !sameName(record.name, this.#instance)) continue;
      const srv = srvOf(record.data);
      if (srv && srv.port === this.#options.port && sameName(srv.target, this.#host)) continue;
      this.#rename();
      this.#startOver(now);
      return;
    }
  }

  #rotate(now: Instant): void {
    this.#rotateAt = now + ROTATE_MS;
    this.#out.push(...this.goodbye());
    this.#rename();
    this.#startOver(now);
  }

  #startOver(now: Instant): void {
    this.#probesLeft = PROBES;
    this.#announcementsLeft = ANNOUNCEMENTS;
    this.#nextAt = now;
  }

  #rename(): void {
    const { crypto, irk, random } = this.#options;
    this.#instance = `hf-${toHex(random(4))}.${SERVICE}`;
    this.#host = `hf-${toHex(random(4))}.local`;
    this.#tag = makeTag(crypto, irk, random);
  }

  #records(addresses: readonly string[]): DnsRecord[] {
    return [
      { name: SERVICE, type: "PTR", ttl: SHARED_TTL, data: this.#instance },
      ...this.#unique(addresses),
      { name: META, type: "PTR", ttl: SHARED_TTL, data: SERVICE },
    ];
  }

  #unique(addresses: readonly string[]): DnsRecord[] {
    const { port, name } = this.#options;
    const txt = encodeTxt({ tag: this.#tag, name, pairing: this.#pairing });
    return [
      { name: this.#instance, type: "SRV", ttl: HOST_TTL, flush: true, data: { port, target: this.#host } },
      { name: this.#instance, type: "TXT", ttl: HOST_TTL, flush: true, data: txt },
      ...addresses.map((data) => ({ name: this.#host, type: "A", ttl: HOST_TTL, flush: true, data })),
    ];
  }
}

import { isLinkLocal } from "#kernel/ipAddress.js";
import type { Instant, RandomSource } from "#kernel/ports.js";
import { RecordCache } from "./cache.js";
import { isHostAddress, type LocalInterface, withZone } from "./localInterface.js";
import { fold, isSendableName, sameName } from "./names.js";
import { addressOf, rdataOf } from "./rdata.js";
import { type DnsQuestion, type DnsRecord, SERVICE, srvOf } from "./records.js";
import { type Announcement, decodeTxt } from "./txt.js";

// PROTOCOL.md §5
const ADDRESSES = ["A", "AAAA"];
const MAX_ADDRESSES = 8;
const MAX_VERSIONS = 4;
const MAX_TXT_BYTES = 512;
export const MAX_INSTANCES = 256;

/** What one interface knows of a device. */
export interface Description extends Announcement {
  readonly port: number;
  readonly addresses: readonly string[];
}

/** What was heard on one interface about devices of one type. Instances are named by their folded name. PROTOCOL.md §4. */
export class Heard {
  readonly interface: LocalInterface;
  readonly cache: RecordCache;
  readonly #type: string;

  constructor(local: LocalInterface, type: string, random: RandomSource) {
    this.interface = local;
    this.cache = new RecordCache(random);
    this.#type = type;
  }

  /** True while a pointer names this instance. */
  knows(instance: string): boolean {
    return this.cache.has(this.#pointer(instance));
  }

  /** The instance that `record` points to, when that is one for us; nothing is kept yet. */
  pointedTo({ type, name, data, ttl = 0 }: DnsRecord): string | undefined {
    if (type !== "PTR" || !sameName(name, this.#type) || typeof data !== "string") return undefined;
    const instance = fold(data);
    if (!instance.endsWith(`.${SERVICE}`) || !isSendableName(instance)) return undefined;
    return ttl > 0 || this.knows(instance) ? instance : undefined;
  }

  takePointer(instance: string, ttl: number, now: Instant): void {
    this.cache.put(this.#pointer(instance, ttl), MAX_INSTANCES, now);
  }

  /** SRV or TXT of a device that is pointed to. Gives the instance. */
  takeDescription(record: DnsRecord, now: Instant): string | undefined {
    const { type, data } = record;
    if (type !== "SRV" && type !== "TXT") return undefined;
    const name = fold(record.name);
    const rdata = this.knows(name) ? rdataOf(record) : undefined;
    if (!rdata || (type === "SRV" ? !isSendableName(srvOf(data)?.target ?? "") : rdata.length > MAX_TXT_BYTES))
      return undefined;
    this.cache.put({ ...record, name, data: copyOf(data) }, MAX_VERSIONS, now);
    return name;
  }

  /** Addresses of hosts that an SRV names. Gives the instances. */
  takeAddresses(records: readonly DnsRecord[], now: Instant): string[] {
    const addresses = records.filter(
      (record) => ADDRESSES.includes(record.type) && isHostAddress(addressOf(record) ?? "", this.interface),
    );
    if (addresses.length === 0) return [];
    const owners = this.#instancesByHost();
    return addresses.flatMap((record) => {
      const instances = owners.get(fold(record.name)) ?? [];
      if (instances.length > 0) this.cache.put(record, MAX_ADDRESSES, now);
      return instances;
    });
  }

  forget(instance: string): void {
    this.cache.remove(this.#pointer(instance));
    for (const type of ["SRV", "TXT"]) this.cache.forget(instance, type);
  }

  /** Undefined until it is known where the device listens and what it says of itself. */
  describe(instance: string): Description | undefined {
    const srv = srvOf(this.cache.get(instance, "SRV")[0]?.data);
    const txt = decodeTxt(this.cache.get(instance, "TXT")[0]?.data);
    if (!srv || !txt || !this.knows(instance)) return undefined;
    const addresses = this.#addresses(srv.target).flatMap((record) => addressOf(record) ?? []);
    const usable = addresses.map((address) => withZone(address, this.interface));
    // Every address is tried; people are shown the first.
    usable.sort((a, b) => Number(isLinkLocal(a)) - Number(isLinkLocal(b)));
    return { ...txt, port: srv.port, addresses: usable };
  }

  /** What to ask for, to know all of a device. */
  missing(instance: string): DnsQuestion[] {
    if (!this.knows(instance)) return [];
    const srv = srvOf(this.cache.get(instance, "SRV")[0]?.data);
    return [
      ...(srv ? [] : [{ name: instance, type: "SRV" }]),
      ...(this.cache.get(instance, "TXT").length > 0 ? [] : [{ name: instance, type: "TXT" }]),
      ...(srv && this.#addresses(srv.target).length === 0 ? ADDRESSES.map((type) => ({ name: srv.target, type })) : []),
    ];
  }

  #addresses(host: string): DnsRecord[] {
    return ADDRESSES.flatMap((type) => this.cache.get(host, type));
  }

  #pointer(instance: string, ttl = 0): DnsRecord {
    return { name: this.#type, type: "PTR", ttl, data: instance };
  }

  #instancesByHost(): Map<string, string[]> {
    const owners = new Map<string, string[]>();
    for (const { data } of this.cache.get(this.#type, "PTR"))
      for (const record of this.cache.get(String(data), "SRV")) {
        const host = fold(srvOf(record.data)?.target ?? "");
        owners.set(host, [...(owners.get(host) ?? []), String(data)]);
      }
    return owners;
  }
}

/** The codec's bytes are views on the packet. */
function copyOf(data: unknown): unknown {
  return Array.isArray(data) ? data.map((entry: Uint8Array) => new Uint8Array(entry)) : data;
}

import type { Crypto } from "#crypto/crypto.js";
import { toHex } from "#kernel/bytes.js";
import { isLinkLocal } from "#kernel/ipAddress.js";
import type { RandomSource } from "#kernel/ports.js";
import { isIpv6, type LocalInterface, type Subnet } from "./localInterface.js";
import { recordKey } from "./rdata.js";
import { DEVICE_TTL, type DnsRecord, META, META_TTL, SERVICE, subtypeOf } from "./records.js";
import { makeTag } from "./tag.js";
import { encodeTxt } from "./txt.js";

const LABEL_BYTES = 8;
const MAX_IPV4 = 8;
const MAX_IPV6 = 4;

/** What is announced about a device; the name and the application show only while it pairs. */
export interface DeviceFacts {
  readonly crypto: Crypto;
  readonly random: RandomSource;
  readonly irk: Uint8Array;
  readonly port: number;
  readonly name: string;
  /** The application, as both sides name it. */
  readonly service?: string;
}

/** One set of random labels and the records that stand on them. Never used again after a rotation. PROTOCOL.md §2. */
export class Claim {
  readonly instance: string;
  readonly host: string;
  readonly tag: Uint8Array;
  readonly #facts: DeviceFacts;

  constructor(facts: DeviceFacts) {
    const { crypto, irk, random } = facts;
    this.#facts = facts;
    this.instance = `hf-${toHex(random(LABEL_BYTES))}.${SERVICE}`;
    this.host = `hf-${toHex(random(LABEL_BYTES))}.local`;
    this.tag = makeTag(crypto, irk, random);
  }

  /** Everything to announce on one interface. */
  records({ subnets }: LocalInterface, pairing: boolean): DnsRecord[] {
    const subtype = pairing ? subtypeOf(this.#facts.service) : undefined;
    return [
      { name: SERVICE, type: "PTR", ttl: DEVICE_TTL, data: this.instance },
      ...(subtype ? [{ name: subtype, type: "PTR", ttl: DEVICE_TTL, data: this.instance }] : []),
      ...this.#unique(subnets, pairing),
      unique(this.instance, "NSEC", { nextDomain: this.instance, rrtypes: ["TXT", "SRV"] }),
      unique(this.host, "NSEC", { nextDomain: this.host, rrtypes: typesOf(subnets) }),
      { name: META, type: "PTR", ttl: META_TTL, data: SERVICE },
    ];
  }

  /** RFC 6762 §8.2: what a probe says we are about to claim; no flush bit, it is not ours yet, and no name, the window may close. */
  proposal({ subnets }: LocalInterface): DnsRecord[] {
    return this.#unique(subnets, false).map(({ flush: _, ...record }) => record);
  }

  /** The keys of all that we may have said under these labels: what comes back from a reflector is no conflict. */
  keys(interfaces: readonly LocalInterface[]): ReadonlySet<string> {
    const said = interfaces.flatMap((each) => [...this.records(each, false), ...this.records(each, true)]);
    return new Set(said.map(recordKey).filter((key) => key !== undefined));
  }

  #unique(subnets: LocalInterface["subnets"], pairing: boolean): DnsRecord[] {
    const { port, name } = this.#facts;
    return [
      unique(this.instance, "SRV", { port, target: this.host }),
      unique(this.instance, "TXT", encodeTxt({ tag: this.tag, name, pairing })),
      ...shown(subnets).map((address) => unique(this.host, isIpv6(address) ? "AAAA" : "A", address)),
    ];
  }
}

/** Link-local first: it works wherever the announcement is heard. */
function shown(subnets: readonly Subnet[]): string[] {
  const all = subnets.map(({ address }) => address);
  const ipv6 = all.filter(isIpv6).sort((a, b) => Number(isLinkLocal(b)) - Number(isLinkLocal(a)));
  return [...all.filter((address) => !isIpv6(address)).slice(0, MAX_IPV4), ...ipv6.slice(0, MAX_IPV6)];
}

/** RFC 6762 §20: both, where the name has both. */
function typesOf(subnets: readonly Subnet[]): string[] {
  const has = (ipv6: boolean): boolean => subnets.some(({ address }) => isIpv6(address) === ipv6);
  return [...(has(false) ? ["A"] : []), ...(has(true) ? ["AAAA"] : [])];
}

function unique(name: string, type: string, data: unknown): DnsRecord {
  return { name, type, ttl: DEVICE_TTL, flush: true, data };
}

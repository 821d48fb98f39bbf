import type { Instant } from "#kernel/ports.js";
import { Claim, type DeviceFacts } from "./claim.js";
import type { LocalInterface } from "./localInterface.js";
import { fold } from "./names.js";
import { compareClaims, recordKey } from "./rdata.js";
import type { DnsPacket, DnsRecord, OutgoingPacket, PacketOrigin } from "./records.js";
import { Responder } from "./responder.js";

// RFC 6762 §8.1, §8.2, §8.3
const PROBES = 3;
const PROBE_WAIT_MS = 250;
const LOST_PROBE_WAIT_MS = 1000;
/** Two are required. Multicast over the air gets lost, and a browser asks ever more seldom. */
const ANNOUNCEMENTS = 4;
const ANNOUNCE_WAIT_MS = 1000;
const MAX_CONFLICTS = 15;
const CONFLICT_WINDOW_MS = 10_000;
const CONFLICT_WAIT_MS = 5000;
/** PROTOCOL.md §2 */
const ROTATE_MS = 15 * 60_000;
/** After two announcements that took the name back. */
const ROTATE_AFTER_PAIRING_MS = 2 * ANNOUNCE_WAIT_MS;

export interface AdvertiserOptions extends DeviceFacts {
  readonly now: Instant;
}

/** Announces one device: probes for its labels, announces, defends, rotates. RFC 6762 §8 to §10, sans-IO. PROTOCOL.md §3. */
export class Advertiser {
  readonly #options: AdvertiserOptions;
  readonly #responders = new Map<string, Responder>();
  readonly #out: OutgoingPacket[] = [];
  /** When labels were taken from us lately. */
  #conflicts: Instant[] = [];
  #interfaces: readonly LocalInterface[] = [];
  #claim: Claim;
  #ours: ReadonlySet<string> = new Set();
  #pairing = false;
  /** From the first announcement on, the labels are ours to defend. */
  #claimed = false;
  #probesLeft = PROBES;
  #announcementsLeft = ANNOUNCEMENTS;
  #nextAt: Instant;
  #rotateAt: Instant;

  constructor(options: AdvertiserOptions) {
    this.#options = options;
    this.#nextAt = options.now;
    this.#rotateAt = options.now + ROTATE_MS;
    this.#claim = new Claim(options);
  }

  /** The labels of now: they change with every rotation and tell nothing. */
  get labels(): { readonly instance: string; readonly host: string } {
    const { instance, host } = this.#claim;
    return { instance, host };
  }

  /** The networks of now. Any change gives new labels: nothing of one network is seen on another. */
  setInterfaces(interfaces: readonly LocalInterface[], now: Instant): void {
    const before = this.#interfaces;
    if (JSON.stringify(before) === JSON.stringify(interfaces)) return;
    this.#interfaces = interfaces;
    for (const name of [...this.#responders.keys()])
      if (!interfaces.some((each) => each.name === name)) this.#responders.delete(name);
    for (const { name } of interfaces)
      if (!this.#responders.has(name)) this.#responders.set(name, new Responder(name, this.#options.random, this.#out));
    this.#rename(now, this.#initialWait());
  }

  /** Shows or hides the name and the application. */
  setPairing(open: boolean, now: Instant): void {
    if (open === this.#pairing) return;
    this.#pairing = open;
    if (!this.#claimed) return;
    this.#announcementsLeft = ANNOUNCEMENTS;
    this.#nextAt = now;
    this.#hold();
    // The labels have been seen beside the name: they do not outlive it.
    if (!open) this.#rotateAt = Math.min(this.#rotateAt, now + ROTATE_AFTER_PAIRING_MS);
  }

  receive(packet: DnsPacket, origin: PacketOrigin, isResponse: boolean, now: Instant): void {
    if (isResponse && this.#isConflict(packet)) this.#onConflict(now);
    else if (isResponse) this.#responders.get(origin.interface)?.onResponse(packet, origin, now);
    else if (this.#claimed) this.#responders.get(origin.interface)?.onQuery(packet, origin, now);
    else if (this.#losesAgainst(packet, origin)) this.#startOver(now + LOST_PROBE_WAIT_MS);
  }

  tick(now: Instant): void {
    for (const responder of this.#responders.values()) responder.tick(now);
    if (now >= this.#rotateAt) this.#rename(now, 0);
    if (now < this.#nextAt || this.#interfaces.length === 0) return;
    if (this.#probesLeft > 0) this.#probe(now);
    else if (this.#announcementsLeft > 0) this.#announce(now);
  }

  get deadline(): Instant {
    const busy = this.#interfaces.length > 0 && this.#probesLeft + this.#announcementsLeft > 0;
    let earliest = busy ? Math.min(this.#nextAt, this.#rotateAt) : this.#rotateAt;
    for (const { deadline } of this.#responders.values()) earliest = Math.min(earliest, deadline);
    return earliest;
  }

  nextMessage(): OutgoingPacket | undefined {
    return this.#out.shift();
  }

  /** The last words: every record of ours with a lifetime of zero (RFC 6762 §10.1). Drain, then drop the advertiser. */
  close(): void {
    for (const responder of this.#responders.values()) responder.hold([]);
  }

  #probe(now: Instant): void {
    const { instance, host } = this.#claim;
    const questions = [instance, host].map((name) => ({ name, type: "ANY" }));
    for (const each of this.#interfaces) {
      const authorities = this.#claim.proposal(each);
      this.#out.push({ kind: "query", packet: { questions, authorities }, interface: each.name });
    }
    this.#probesLeft--;
    this.#nextAt = now + PROBE_WAIT_MS;
  }

  #announce(now: Instant): void {
    this.#claimed = true;
    this.#hold();
    for (const responder of this.#responders.values()) responder.announce(now);
    this.#nextAt = now + ANNOUNCE_WAIT_MS * 2 ** (ANNOUNCEMENTS - this.#announcementsLeft--);
  }

  #hold(): void {
    for (const each of this.#interfaces)
      this.#responders.get(each.name)?.hold(this.#claim.records(each, this.#pairing));
  }

  /** Somebody else says something about our labels (RFC 6762 §9). A goodbye is no claim. */
  #isConflict({ answers = [], additionals = [] }: DnsPacket): boolean {
    const names = [this.#claim.instance, this.#claim.host];
    return [...answers, ...additionals].some(
      (record) => (record.ttl ?? 0) > 0 && names.includes(fold(record.name)) && !this.#isOurs(record),
    );
  }

  #isOurs(record: DnsRecord): boolean {
    const key = recordKey(record);
    return key !== undefined && this.#ours.has(key);
  }

  /** RFC 6762 §8.2: two probe for the same label at the same time; the lesser claim waits and tries again. */
  #losesAgainst({ authorities = [] }: DnsPacket, origin: PacketOrigin): boolean {
    const here = this.#interfaces.find(({ name }) => name === origin.interface);
    if (!here || authorities.length === 0) return false;
    const proposal = this.#claim.proposal(here);
    return [this.#claim.instance, this.#claim.host].some((label) => {
      const theirs = authorities.filter(({ name }) => fold(name) === label);
      // Our own probe, heard on the other interface.
      if (theirs.every((record) => this.#isOurs(record))) return false;
      const ours = proposal.filter(({ name }) => name === label);
      return compareClaims(ours, theirs) < 0;
    });
  }

  /** RFC 6762 §8.1: whoever takes every label away must not make us flood the link. */
  #onConflict(now: Instant): void {
    this.#conflicts = [...this.#conflicts.filter((at) => at > now - CONFLICT_WINDOW_MS), now].slice(-MAX_CONFLICTS);
    const tooMany = this.#conflicts.length >= MAX_CONFLICTS;
    this.#rename(now, tooMany ? CONFLICT_WAIT_MS : this.#initialWait());
  }

  /** New labels; the old ones say goodbye. */
  #rename(now: Instant, wait: number): void {
    this.close();
    this.#claim = new Claim(this.#options);
    this.#ours = this.#claim.keys(this.#interfaces);
    this.#rotateAt = now + ROTATE_MS;
    this.#startOver(now + wait);
  }

  #startOver(at: Instant): void {
    this.#claimed = false;
    this.#probesLeft = PROBES;
    this.#announcementsLeft = ANNOUNCEMENTS;
    this.#nextAt = at;
  }

  /** RFC 6762 §8.1: a random moment, so that devices that start together do not probe together. */
  #initialWait(): number {
    return (PROBE_WAIT_MS * (this.#options.random(1)[0] ?? 0)) / 255;
  }
}

import { networkInterfaces } from "node:os";
import multicastDns, { type MulticastDNS } from "multicast-dns";
import type { Crypto } from "#crypto/crypto.js";
import type { Clock, Instant, RandomSource } from "#kernel/ports.js";
import { Advertiser, type LocalInterface } from "./advertiser.js";
import { Browser, type Host } from "./browser.js";
import type { DnsPacket, OutgoingPacket, PacketOrigin } from "./records.js";

const RECHECK_MS = 5000;
const MAX_PACKET_RECORDS = 512;

export interface MdnsOptions {
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly crypto: Crypto;
  /** Interface names, such as "lo"; by default every one that leads off this machine. */
  readonly interfaces?: readonly string[];
}

interface BrowseListeners {
  readonly onFound: (host: Host) => void;
  readonly onUpdated?: (host: Host) => void;
  readonly onLost?: (instance: string) => void;
}

interface Participant {
  receive(packet: DnsPacket, origin: PacketOrigin, isResponse: boolean, now: Instant): void;
  tick(now: Instant): void;
  readonly deadline: Instant;
  nextMessage(): OutgoingPacket | undefined;
  onInterfaces(interfaces: readonly LocalInterface[], now: Instant): void;
  progress(): void;
}

/** Multicast DNS on this machine's networks: sockets and timers for the advertiser and the browser. */
export class Mdns {
  readonly #options: MdnsOptions;
  /** One socket for each interface: a single one would send on the default interface only. */
  readonly #sockets = new Map<string, { readonly addresses: readonly string[]; readonly mdns: MulticastDNS }>();
  readonly #participants = new Set<Participant>();
  #cancelTimer: (() => void) | undefined;
  readonly #cancelRecheck: () => void;
  #closed = false;

  private constructor(options: MdnsOptions) {
    this.#options = options;
    this.#recheck();
    const timer = setInterval(() => this.#recheck(), RECHECK_MS);
    timer.unref();
    this.#cancelRecheck = () => clearInterval(timer);
  }

  static async open(options: MdnsOptions): Promise<Mdns> {
    return new Mdns(options);
  }

  /** Our own IPv4 addresses on the networks in use. */
  get addresses(): readonly string[] {
    return usableInterfaces(this.#options.interfaces).flatMap(({ addresses }) => addresses);
  }

  advertise(options: { readonly port: number; readonly irk: Uint8Array; readonly name: string }): {
    setPairing(open: boolean): void;
    close(): Promise<void>;
  } {
    const { clock, crypto, random } = this.#options;
    const advertiser = new Advertiser({ ...options, crypto, random, now: clock.now() });
    const participant: Participant = {
      receive: (packet, origin, isResponse, now) => advertiser.receive(packet, origin, isResponse, now),
      tick: (now) => advertiser.tick(now),
      get deadline() {
        return advertiser.deadline;
      },
      nextMessage: () => advertiser.nextMessage(),
      onInterfaces: (interfaces, now) => advertiser.setInterfaces(interfaces, now),
      progress: () => {},
    };
    this.#add(participant);
    return {
      setPairing: (open) => {
        advertiser.setPairing(open, clock.now());
        this.#turn();
      },
      close: async () => {
        if (!this.#participants.delete(participant)) return;
        await Promise.all(advertiser.goodbye().map((message) => this.#send(message)));
      },
    };
  }

  browse(listeners: BrowseListeners): { close(): void } {
    const browser = new Browser(this.#options.clock.now());
    const participant: Participant = {
      receive: (packet, _origin, isResponse, now) => {
        if (isResponse) browser.receive(packet, now);
      },
      tick: (now) => browser.tick(now),
      get deadline() {
        return browser.deadline;
      },
      nextMessage: () => browser.nextMessage(),
      onInterfaces: (_interfaces, now) => browser.askAgain(now),
      progress: () => {
        for (let event = browser.nextEvent(); event; event = browser.nextEvent()) {
          if (event.type === "lost") listeners.onLost?.(event.instance);
          else if (event.type === "found") listeners.onFound(event.host);
          else listeners.onUpdated?.(event.host);
        }
      },
    };
    this.#add(participant);
    return { close: () => this.#participants.delete(participant) };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelRecheck();
    this.#cancelTimer?.();
    const closing = [...this.#sockets.values()].map(({ mdns }) => new Promise<void>((done) => mdns.destroy(done)));
    this.#sockets.clear();
    await Promise.all(closing);
  }

  #add(participant: Participant): void {
    this.#participants.add(participant);
    participant.onInterfaces(usableInterfaces(this.#options.interfaces), this.#options.clock.now());
    this.#turn();
  }

  #turn(): void {
    if (this.#closed) return;
    const now = this.#options.clock.now();
    let next = Number.POSITIVE_INFINITY;
    for (const participant of this.#participants) {
      if (participant.deadline <= now) participant.tick(now);
      for (let message = participant.nextMessage(); message; message = participant.nextMessage())
        void this.#send(message);
      participant.progress();
    }
    for (const participant of this.#participants) next = Math.min(next, participant.deadline);
    this.#cancelTimer?.();
    this.#cancelTimer = Number.isFinite(next)
      ? this.#options.clock.schedule(Math.max(1, next - now), () => this.#turn())
      : undefined;
  }

  /** Resolves when the packet has left, or could not: discovery lives with loss. */
  async #send(message: OutgoingPacket): Promise<void> {
    const targets = [...this.#sockets].filter(
      ([name]) => message.interface === undefined || name === message.interface,
    );
    await Promise.all(
      targets.map(
        ([, { mdns }]) =>
          new Promise<void>((done) => {
            // The types of the package know less than the package itself: records come from our own encoder.
            const packet = structuredPacket(message.packet) as never;
            const target = message.to ? { address: message.to.address, port: message.to.port } : undefined;
            if (message.kind === "query") mdns.query(packet, () => done());
            else if (target) mdns.respond(packet, target as never, () => done());
            else mdns.respond(packet, () => done());
          }),
      ),
    );
  }

  #recheck(): void {
    if (this.#closed) return;
    const wanted = usableInterfaces(this.#options.interfaces);
    let changed = false;
    for (const [name, { addresses, mdns }] of this.#sockets) {
      if (wanted.some((each) => each.name === name && each.addresses.join() === addresses.join())) continue;
      this.#sockets.delete(name);
      mdns.destroy();
      changed = true;
    }
    for (const { name, addresses } of wanted) {
      if (this.#sockets.has(name) || !addresses[0]) continue;
      this.#sockets.set(name, { addresses, mdns: this.#openSocket(name, addresses[0]) });
      changed = true;
    }
    if (!changed) return;
    for (const participant of this.#participants) participant.onInterfaces(wanted, this.#options.clock.now());
    this.#turn();
  }

  #openSocket(name: string, address: string): MulticastDNS {
    // Bound to the address alone, Linux would deliver no multicast.
    const mdns = multicastDns({ interface: address, bind: "0.0.0.0", reuseAddr: true, loopback: true, ttl: 255 });
    const listen =
      (isResponse: boolean) =>
      (packet: unknown, from: { readonly address: string; readonly port: number }): void =>
        this.#receive(packet as DnsPacket, { interface: name, address: from.address, port: from.port }, isResponse);
    mdns.on("query", listen(false) as never);
    mdns.on("response", listen(true) as never);
    // What cannot be decoded or sent is loss; an interface that went away is noticed by the next recheck.
    mdns.on("error", () => this.#drop(name));
    mdns.on("warning", () => {});
    return mdns;
  }

  #drop(name: string): void {
    const socket = this.#sockets.get(name);
    this.#sockets.delete(name);
    socket?.mdns.destroy();
  }

  #receive(packet: DnsPacket, origin: PacketOrigin, isResponse: boolean): void {
    if (this.#closed || (packet.answers?.length ?? 0) + (packet.additionals?.length ?? 0) > MAX_PACKET_RECORDS) return;
    for (const participant of this.#participants)
      participant.receive(packet, origin, isResponse, this.#options.clock.now());
    this.#turn();
  }
}

/** Buffers are what the codec wants for TXT. */
function structuredPacket(packet: DnsPacket): unknown {
  const encode = (records: DnsPacket["answers"]): unknown =>
    records?.map((record) =>
      record.type === "TXT" && Array.isArray(record.data)
        ? { ...record, data: record.data.map((entry: Uint8Array) => Buffer.from(entry)) }
        : record,
    );
  return {
    ...packet,
    questions: packet.questions ?? [],
    answers: encode(packet.answers) ?? [],
    authorities: encode(packet.authorities) ?? [],
    additionals: encode(packet.additionals) ?? [],
  };
}

/** IPv4 interfaces by name. Without a wish: all that are not the loopback. */
function usableInterfaces(wanted: readonly string[] | undefined): LocalInterface[] {
  const found: LocalInterface[] = [];
  for (const [name, entries] of Object.entries(networkInterfaces())) {
    const usable = (entries ?? []).filter(({ family, internal }) => family === "IPv4" && (wanted ? true : !internal));
    if (usable.length > 0 && (!wanted || wanted.includes(name)))
      found.push({ name, addresses: usable.map(({ address }) => address) });
  }
  return found;
}

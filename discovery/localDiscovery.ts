import type { Crypto } from "#crypto/crypto.js";
import type { Clock, Instant, RandomSource } from "#kernel/ports.js";
import { Advertiser } from "./advertiser.js";
import { Browser, type BrowserEvent, type Host } from "./browser.js";
import { isIpv6, type LocalInterface, withZone } from "./localInterface.js";
import { isSendableName } from "./names.js";
import { type DropReason, PacketFilter } from "./packetFilter.js";
import { type DnsPacket, type OutgoingPacket, type PacketOrigin, SERVICE, subtypeOf } from "./records.js";
import { Twins } from "./twins.js";

const MAX_TXT_ENTRY_BYTES = 255;

/** Multicast as the platform gives it: one socket for each interface. */
export interface MulticastLink {
  /** Those that work now. */
  readonly interfaces: readonly LocalInterface[];
  /** Why others do not: a sentence for the person each. */
  readonly problems: readonly string[];
  listen(listener: LinkListener): void;
  /** Resolves when the packet has left, or could not: discovery lives with loss. */
  send(message: OutgoingPacket): Promise<void>;
  close(): Promise<void>;
}

export interface LinkListener {
  onPacket(packet: DnsPacket, origin: PacketOrigin, isResponse: boolean): void;
  onInterfaces(): void;
}

export interface LocalDiscoveryOptions {
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly crypto: Crypto;
}

export interface BrowseListeners {
  /** Only devices of this application whose pairing window is open. */
  readonly service?: string;
  readonly onFound: (host: Host) => void;
  readonly onUpdated?: (host: Host) => void;
  readonly onLost?: (instance: string) => void;
}

/** How discovery is, for `doctor` and `status`. */
export interface DiscoveryStatus {
  readonly interfaces: readonly LocalInterface[];
  readonly problems: readonly string[];
  readonly drops: Readonly<Record<DropReason, number>>;
}

interface Machine {
  tick(now: Instant): void;
  readonly deadline: Instant;
  nextMessage(): OutgoingPacket | undefined;
}

interface Listener {
  readonly to: BrowseListeners;
  /** Has been told what was there when it came. */
  caughtUp: boolean;
}

/** Advertisers and browsers on the networks of this machine, driven by one clock. PROTOCOL.md §1. */
export class LocalDiscovery {
  readonly #options: LocalDiscoveryOptions;
  readonly #link: MulticastLink;
  readonly #filter = new PacketFilter();
  readonly #twins = new Twins();
  readonly #advertisers = new Set<Advertiser>();
  /** By the type or subtype they browse. They outlive their listeners, idle, so that the next one knows at once. */
  readonly #browsers = new Map<string, { readonly browser: Browser; readonly listeners: Set<Listener> }>();
  #cancelTimer: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: LocalDiscoveryOptions, link: MulticastLink) {
    this.#options = options;
    this.#link = link;
    link.listen({
      onPacket: (packet, origin, isResponse) => this.#receive(packet, origin, isResponse),
      onInterfaces: () => this.#onInterfaces(),
    });
  }

  /** Our own addresses on the networks in use, IPv4 first; link-local ones with their zone. */
  get addresses(): readonly string[] {
    const all = this.#link.interfaces.flatMap((local) => local.subnets.map(({ address }) => withZone(address, local)));
    return all.sort((a, b) => Number(isIpv6(a)) - Number(isIpv6(b)));
  }

  get status(): DiscoveryStatus {
    const { interfaces, problems } = this.#link;
    return { interfaces, problems, drops: { ...this.#filter.drops } };
  }

  advertise(options: {
    readonly port: number;
    readonly irk: Uint8Array;
    readonly name: string;
    readonly service?: string;
  }): { setPairing(open: boolean): void; close(): Promise<void> } {
    const { clock, crypto, random } = this.#options;
    const advertiser = new Advertiser({ ...options, crypto, random, now: clock.now() });
    this.#advertisers.add(advertiser);
    advertiser.setInterfaces(this.#link.interfaces, clock.now());
    this.#turn();
    return {
      setPairing: (open) => {
        advertiser.setPairing(open, clock.now());
        this.#turn();
      },
      close: async () => {
        if (!this.#advertisers.delete(advertiser) || this.#closed) return;
        advertiser.close();
        await this.#flush(advertiser);
      },
    };
  }

  browse(to: BrowseListeners): { close(): void } {
    const { clock } = this.#options;
    const { browser, listeners } = this.#browserOf(subtypeOf(to.service) ?? SERVICE);
    const listener: Listener = { to, caughtUp: false };
    listeners.add(listener);
    browser.setActive(true, clock.now());
    clock.schedule(0, () => {
      if (!listeners.has(listener)) return;
      listener.caughtUp = true;
      for (const host of browser.hosts) to.onFound(host);
    });
    this.#turn();
    return {
      close: () => {
        listeners.delete(listener);
        if (listeners.size === 0) browser.setActive(false, clock.now());
      },
    };
  }

  /** Says goodbye for every advertisement, then leaves the network. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#cancelTimer?.();
    for (const advertiser of this.#advertisers) advertiser.close();
    await Promise.all([...this.#advertisers].map((advertiser) => this.#flush(advertiser)));
    await this.#link.close();
  }

  #browserOf(type: string): { readonly browser: Browser; readonly listeners: Set<Listener> } {
    const known = this.#browsers.get(type);
    if (known) return known;
    const { random, clock } = this.#options;
    const made = { browser: new Browser(random, type), listeners: new Set<Listener>() };
    made.browser.setInterfaces(this.#link.interfaces, clock.now());
    this.#browsers.set(type, made);
    return made;
  }

  #onInterfaces(): void {
    if (this.#closed) return;
    const now = this.#options.clock.now();
    const { interfaces } = this.#link;
    for (const advertiser of this.#advertisers) advertiser.setInterfaces(interfaces, now);
    for (const { browser } of this.#browsers.values()) browser.setInterfaces(interfaces, now);
    this.#turn();
  }

  #receive(packet: DnsPacket, origin: PacketOrigin, isResponse: boolean): void {
    if (this.#closed) return;
    const now = this.#options.clock.now();
    const here = this.#link.interfaces.find(({ name }) => name === origin.interface);
    if (!this.#filter.accepts(packet, origin, isResponse, here, now)) return;
    if (!isResponse && this.#twins.isTwin(packet, origin, now)) return;
    for (const advertiser of this.#advertisers) advertiser.receive(packet, origin, isResponse, now);
    if (isResponse) for (const { browser } of this.#browsers.values()) browser.receive(packet, origin, now);
    this.#turn();
  }

  /** Lets every machine do what is due, and sets the timer for what comes next. */
  #turn(): void {
    if (this.#closed) return;
    const now = this.#options.clock.now();
    const machines: readonly Machine[] = [
      ...this.#advertisers,
      ...[...this.#browsers.values()].map((each) => each.browser),
    ];
    for (const machine of machines) {
      if (machine.deadline <= now) machine.tick(now);
      void this.#flush(machine);
    }
    for (const { browser, listeners } of this.#browsers.values())
      for (let event = browser.nextEvent(); event; event = browser.nextEvent())
        for (const { to, caughtUp } of [...listeners]) if (caughtUp) tell(to, event);
    const next = Math.min(...machines.map(({ deadline }) => deadline));
    this.#cancelTimer?.();
    this.#cancelTimer = Number.isFinite(next)
      ? this.#options.clock.schedule(Math.max(1, next - now), () => this.#turn())
      : undefined;
  }

  async #flush(machine: Machine): Promise<void> {
    const sending: Promise<void>[] = [];
    for (let message = machine.nextMessage(); message; message = machine.nextMessage())
      if (isSendable(message.packet)) sending.push(this.#link.send(message));
    await Promise.all(sending);
  }
}

function tell(to: BrowseListeners, event: BrowserEvent): void {
  if (event.type === "lost") to.onLost?.(event.instance);
  else if (event.type === "found") to.onFound(event.host);
  else to.onUpdated?.(event.host);
}

/** The codec would send longer labels and strings as malformed packets. */
function isSendable({ questions = [], answers = [], authorities = [], additionals = [] }: DnsPacket): boolean {
  const records = [...answers, ...authorities, ...additionals];
  const strings = records.flatMap(({ type, data }) => (type === "TXT" && Array.isArray(data) ? data : []));
  return (
    [...questions, ...records].every(({ name }) => isSendableName(name)) &&
    strings.every((entry: Uint8Array) => entry.length <= MAX_TXT_ENTRY_BYTES)
  );
}

import type { MulticastDNS } from "multicast-dns";
import type { Instant } from "#kernel/ports.js";
import { encodablePacket } from "./codec.node.js";
import { usableInterfaces } from "./interfaces.node.js";
import { type LinkListener, LocalDiscovery, type LocalDiscoveryOptions, type MulticastLink } from "./localDiscovery.js";
import { isIpv6, type LocalInterface } from "./localInterface.js";
import { type Family, openMulticast } from "./multicastSocket.node.js";
import type { DnsPacket, OutgoingPacket } from "./records.js";

const RECHECK_MS = 2000;
const MAX_RETRY_MS = 60_000;
/** So long between two looks at the interfaces: the machine slept, and may have woken up elsewhere with the same address. */
const SLEEP_MS = 30_000;

export interface MdnsOptions extends LocalDiscoveryOptions {
  /** Interface names, such as "lo"; by default every one that leads off this machine. */
  readonly interfaces?: readonly string[];
}

/** Discovery on this machine's networks. Never throws: what does not work is in `status.problems`. */
export const Mdns: { open(options: MdnsOptions): Promise<LocalDiscovery> } = {
  open: async (options) => {
    const sockets = new MdnsSockets(options);
    await sockets.opened();
    return new LocalDiscovery(options, sockets);
  },
};

/** One family on one interface. */
interface Place {
  readonly local: LocalInterface;
  readonly family: Family;
}

interface Socket extends Place {
  readonly mdns: MulticastDNS;
  /** Resolves when the socket works or has failed. */
  readonly settled: Promise<void>;
  ready: boolean;
}

interface Failure extends Place {
  readonly problem: string;
  readonly count: number;
  readonly retryAt: Instant;
}

/** One multicast-dns socket for each interface and family. An interface is in use while one of its sockets works. PROTOCOL.md §7. */
class MdnsSockets implements MulticastLink {
  readonly #options: MdnsOptions;
  readonly #sockets = new Map<string, Socket>();
  readonly #failures = new Map<string, Failure>();
  readonly #timer: NodeJS.Timeout;
  #present: readonly LocalInterface[] = [];
  #listener: LinkListener | undefined;
  /** By the wall clock: the monotonic one may stand still while the machine sleeps. */
  #checkedAt: number;

  constructor(options: MdnsOptions) {
    this.#options = options;
    this.#checkedAt = options.clock.wall();
    this.#recheck();
    this.#timer = setInterval(() => this.#recheck(), RECHECK_MS);
    this.#timer.unref();
  }

  async opened(): Promise<void> {
    await Promise.all([...this.#sockets.values()].map(({ settled }) => settled));
  }

  get interfaces(): readonly LocalInterface[] {
    return this.#present.filter(({ name }) => this.#works(name, "IPv4") || this.#works(name, "IPv6"));
  }

  get problems(): readonly string[] {
    const present = usableInterfaces(this.#options.interfaces);
    const missing = (this.#options.interfaces ?? []).filter((wanted) => !present.some(({ name }) => name === wanted));
    if (present.length === 0 && missing.length === 0)
      return ["This machine is on no network. Connect it, or use --interface lo to stay on it."];
    // Where IPv4 finds, and the other device has it too, nobody misses IPv6.
    const told = [...this.#failures.values()].filter(
      ({ local, family }) => family === "IPv4" || !this.#works(local.name, "IPv4"),
    );
    return [
      ...missing.map((name) => `There is no interface ${name} with an address on this machine.`),
      ...new Set(told.map(({ problem }) => problem)),
    ];
  }

  listen(listener: LinkListener): void {
    this.#listener = listener;
  }

  async send({ kind, packet, to, interface: name }: OutgoingPacket): Promise<void> {
    const families: Family[] = to ? [isIpv6(to.address) ? "IPv6" : "IPv4"] : ["IPv4", "IPv6"];
    const sending = families.map(async (family) => {
      const socket = this.#sockets.get(keyOf(name, family));
      if (!socket?.ready) return;
      await new Promise<void>((done) => {
        // The types of the package know less than the package itself; what is sent has been checked.
        const encodable = encodablePacket(packet) as never;
        if (kind === "query") socket.mdns.query(encodable, () => done());
        else if (to) socket.mdns.respond(encodable, { ...to } as never, () => done());
        else socket.mdns.respond(encodable, () => done());
        // A socket that is closing throws; that is loss as well.
      }).catch(() => {});
    });
    await Promise.all(sending);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#listener = undefined;
    const closing = [...this.#sockets.values()].map(({ mdns }) => new Promise<void>((done) => mdns.destroy(done)));
    this.#sockets.clear();
    await Promise.all(closing);
  }

  #works(name: string, family: Family): boolean {
    return this.#sockets.get(keyOf(name, family))?.ready === true;
  }

  /** Opens and closes sockets as interfaces come, change and go. */
  #recheck(): void {
    const { clock } = this.#options;
    const now = clock.now();
    const slept = clock.wall() - this.#checkedAt > SLEEP_MS;
    this.#checkedAt = clock.wall();
    const before = JSON.stringify(this.#present);
    this.#present = usableInterfaces(this.#options.interfaces);
    let changed = before !== JSON.stringify(this.#present);
    const places = new Map(
      this.#present.flatMap(placesOn).map((place) => [keyOf(place.local.name, place.family), place]),
    );
    for (const [key, socket] of this.#sockets) {
      const place = places.get(key);
      if (!slept && place && ownOf(place) === ownOf(socket)) continue;
      this.#sockets.delete(key);
      socket.mdns.destroy();
      changed ||= socket.ready;
    }
    for (const key of this.#failures.keys()) if (!places.has(key)) this.#failures.delete(key);
    for (const [key, place] of places)
      if (!this.#sockets.has(key) && (this.#failures.get(key)?.retryAt ?? now) <= now)
        this.#sockets.set(key, this.#open(place));
    if (changed) this.#listener?.onInterfaces();
  }

  #open(place: Place): Socket {
    const { local, family } = place;
    const key = keyOf(local.name, family);
    const mdns = openMulticast(local, family);
    let settle = (): void => {};
    const settled = new Promise<void>((resolve) => {
      settle = resolve;
    });
    const opened: Socket = { ...place, mdns, settled, ready: false };
    const fail = (error: Error): void => {
      this.#fail(opened, error);
      settle();
    };
    mdns.on("packet", (packet, from) => {
      if (this.#sockets.get(key) !== opened) return;
      const origin = { interface: local.name, address: from.address, port: from.port };
      this.#listener?.onPacket(packet as DnsPacket, origin, packet.type === "response");
    });
    mdns.on("ready", () => {
      settle();
      if (this.#sockets.get(key) !== opened) return;
      opened.ready = true;
      this.#failures.delete(key);
      this.#listener?.onInterfaces();
    });
    mdns.on("error", fail);
    // What cannot be decoded is only counted as lost; who cannot join the group hears nothing.
    mdns.on("warning", (error) => {
      if ((error as NodeJS.ErrnoException).syscall !== undefined) fail(error);
    });
    return opened;
  }

  /** Tries again later, ever more seldom. */
  #fail(socket: Socket, error: Error): void {
    const { local, family } = socket;
    const key = keyOf(local.name, family);
    socket.mdns.destroy();
    if (this.#sockets.get(key) !== socket) return;
    this.#sockets.delete(key);
    const count = (this.#failures.get(key)?.count ?? 0) + 1;
    const retryAt = this.#options.clock.now() + Math.min(RECHECK_MS * 2 ** (count - 1), MAX_RETRY_MS);
    const problem = sentenceFor(local.name, error as NodeJS.ErrnoException);
    this.#failures.set(key, { local, family, problem, count, retryAt });
    if (socket.ready) this.#listener?.onInterfaces();
  }
}

function keyOf(name: string, family: Family): string {
  return `${name} ${family}`;
}

/** The families with an address there. A loopback carries no IPv6 multicast: it is announced by IPv4. */
function placesOn(local: LocalInterface): Place[] {
  const has = (family: Family): boolean =>
    local.subnets.some(({ address }) => address !== "::1" && isIpv6(address) === (family === "IPv6"));
  return (["IPv4", "IPv6"] as const).filter(has).map((family) => ({ local, family }));
}

/** What a socket depends on. */
function ownOf({ local, family }: Place): string {
  return JSON.stringify(local.subnets.filter(({ address }) => isIpv6(address) === (family === "IPv6")));
}

function sentenceFor(name: string, { code, message }: NodeJS.ErrnoException): string {
  const instead = "Devices are not found by themselves here; name the address with --peer.";
  if (code === "EADDRINUSE") return `Another program keeps UDP port 5353 on ${name} for itself. ${instead}`;
  if (code === "EACCES" || code === "EPERM")
    return `This system does not let us use UDP port 5353 on ${name}. ${instead}`;
  return `Multicast does not work on ${name} (${code ?? message}). ${instead}`;
}

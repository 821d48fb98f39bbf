import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { networkInterfaces } from "node:os";
import multicastDns, { type MulticastDNS } from "multicast-dns";
import type { Instant } from "#kernel/ports.js";
import { encodablePacket } from "./codec.node.js";
import type { LocalInterface, Subnet } from "./ipv4.js";
import { type LinkListener, LocalDiscovery, type LocalDiscoveryOptions, type MulticastLink } from "./localDiscovery.js";
import { isPlausible } from "./packetFilter.js";
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

interface Socket {
  readonly local: LocalInterface;
  readonly mdns: MulticastDNS;
  /** Resolves when the socket works or has failed. */
  readonly settled: Promise<void>;
  ready: boolean;
}

interface Failure {
  readonly problem: string;
  readonly count: number;
  readonly retryAt: Instant;
}

/** One multicast-dns socket for each interface: a single one would send on the default interface only. PROTOCOL.md §7. */
class MdnsSockets implements MulticastLink {
  readonly #options: MdnsOptions;
  readonly #sockets = new Map<string, Socket>();
  readonly #failures = new Map<string, Failure>();
  readonly #timer: NodeJS.Timeout;
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
    return [...this.#sockets.values()].filter(({ ready }) => ready).map(({ local }) => local);
  }

  get problems(): readonly string[] {
    const present = usableInterfaces(this.#options.interfaces);
    const missing = (this.#options.interfaces ?? []).filter((wanted) => !present.some(({ name }) => name === wanted));
    if (present.length === 0 && missing.length === 0)
      return ["This machine is on no network with an IPv4 address. Connect it, or use --interface lo to stay on it."];
    return [
      ...missing.map((name) => `There is no interface ${name} with an IPv4 address on this machine.`),
      ...[...this.#failures.values()].map(({ problem }) => problem),
    ];
  }

  listen(listener: LinkListener): void {
    this.#listener = listener;
  }

  async send({ kind, packet, to, interface: name }: OutgoingPacket): Promise<void> {
    const socket = this.#sockets.get(name);
    if (!socket?.ready) return;
    await new Promise<void>((done) => {
      // The types of the package know less than the package itself; what is sent has been checked.
      const encodable = encodablePacket(packet) as never;
      if (kind === "query") socket.mdns.query(encodable, () => done());
      else if (to) socket.mdns.respond(encodable, { ...to } as never, () => done());
      else socket.mdns.respond(encodable, () => done());
      // A socket that is closing throws; that is loss as well.
    }).catch(() => {});
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#listener = undefined;
    const closing = [...this.#sockets.values()].map(({ mdns }) => new Promise<void>((done) => mdns.destroy(done)));
    this.#sockets.clear();
    await Promise.all(closing);
  }

  /** Opens and closes sockets as interfaces come, change and go. */
  #recheck(): void {
    const present = usableInterfaces(this.#options.interfaces);
    const { clock } = this.#options;
    const now = clock.now();
    const slept = clock.wall() - this.#checkedAt > SLEEP_MS;
    this.#checkedAt = clock.wall();
    let changed = false;
    for (const [name, { local, mdns, ready }] of this.#sockets) {
      if (!slept && present.some((each) => JSON.stringify(each) === JSON.stringify(local))) continue;
      this.#sockets.delete(name);
      mdns.destroy();
      changed ||= ready;
    }
    for (const name of this.#failures.keys())
      if (!present.some((each) => each.name === name)) this.#failures.delete(name);
    for (const local of present)
      if (!this.#sockets.has(local.name) && (this.#failures.get(local.name)?.retryAt ?? now) <= now)
        this.#sockets.set(local.name, this.#open(local));
    if (changed) this.#listener?.onInterfaces();
  }

  #open(local: LocalInterface): Socket {
    const { name } = local;
    const [first] = local.subnets;
    const socket = createSocket({ type: "udp4", reuseAddr: true });
    // Bound to the address alone, Linux would deliver no multicast.
    const mdns = multicastDns({ interface: first?.address ?? "", bind: "0.0.0.0", socket });
    guard(socket);
    let settle = (): void => {};
    const settled = new Promise<void>((resolve) => {
      settle = resolve;
    });
    const opened: Socket = { local, mdns, settled, ready: false };
    const fail = (error: Error): void => {
      this.#fail(opened, error);
      settle();
    };
    mdns.on("packet", (packet, from) => {
      if (this.#sockets.get(name) !== opened) return;
      const origin = { interface: name, address: from.address, port: from.port };
      this.#listener?.onPacket(packet as DnsPacket, origin, packet.type === "response");
    });
    mdns.on("ready", () => {
      settle();
      if (this.#sockets.get(name) !== opened) return;
      opened.ready = true;
      this.#failures.delete(name);
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
    const { name } = socket.local;
    socket.mdns.destroy();
    if (this.#sockets.get(name) !== socket) return;
    this.#sockets.delete(name);
    const count = (this.#failures.get(name)?.count ?? 0) + 1;
    const retryAt = this.#options.clock.now() + Math.min(RECHECK_MS * 2 ** (count - 1), MAX_RETRY_MS);
    this.#failures.set(name, { problem: sentenceFor(name, error as NodeJS.ErrnoException), count, retryAt });
    if (socket.ready) this.#listener?.onInterfaces();
  }
}

/** Puts the door before the codec, which is the only listener so far. */
function guard(socket: UdpSocket): void {
  const decoders = socket.listeners("message") as ((bytes: Uint8Array, from: unknown) => void)[];
  socket.removeAllListeners("message");
  socket.on("message", (bytes, from) => {
    if (isPlausible(bytes)) for (const decode of decoders) decode(bytes, from);
  });
}

function sentenceFor(name: string, { code, message }: NodeJS.ErrnoException): string {
  const instead = "Devices are not found by themselves here; name the address with --peer.";
  if (code === "EADDRINUSE") return `Another program keeps UDP port 5353 on ${name} for itself. ${instead}`;
  if (code === "EACCES" || code === "EPERM")
    return `This system does not let us use UDP port 5353 on ${name}. ${instead}`;
  return `Multicast does not work on ${name} (${code ?? message}). ${instead}`;
}

/** IPv4 interfaces by name. Without a wish: all that are not the loopback. */
function usableInterfaces(wanted: readonly string[] | undefined): LocalInterface[] {
  const found: LocalInterface[] = [];
  for (const [name, entries] of Object.entries(networkInterfaces())) {
    if (wanted && !wanted.includes(name)) continue;
    const subnets = (entries ?? [])
      .filter(({ family, internal }) => family === "IPv4" && (wanted !== undefined || !internal))
      .map(({ address, cidr }): Subnet => ({ address, prefix: Number(cidr?.split("/")[1] ?? 32) }));
    if (subnets.length > 0) found.push({ name, subnets });
  }
  return found;
}

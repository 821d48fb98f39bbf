import dnsPacket from "dns-packet";
import { encodablePacket } from "#discovery/codec.node.js";
import type { LinkListener, MulticastLink } from "#discovery/localDiscovery.js";
import { isIpv6, type LocalInterface, withZone } from "#discovery/localInterface.js";
import type { DnsPacket, OutgoingPacket, PacketOrigin } from "#discovery/records.js";
import { isLinkLocal } from "#kernel/ipAddress.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import type { VirtualClock } from "../simulation/virtualClock.js";

export interface Weather {
  readonly loss: number;
  readonly duplicate: number;
  /** Larger than the gaps between packets: they overtake each other. */
  readonly jitterMs: number;
}

/** One multicast link in memory, for IPv4 and IPv6: who has no address of a family does not hear it. Every packet goes through the real codec. The same seed gives the same run. */
export class Segment {
  weather: Weather;
  /** What anybody on the link could have heard, decoded. */
  readonly heard: { readonly at: number; readonly packet: DnsPacket & { readonly type: string } }[] = [];
  readonly #clock: VirtualClock;
  readonly #random: SeededRandom;
  readonly #stations = new Map<Station, string>();

  constructor(clock: VirtualClock, seed: number, weather: Weather = { loss: 0, duplicate: 0, jitterMs: 1 }) {
    this.#clock = clock;
    this.#random = new SeededRandom(seed);
    this.weather = weather;
  }

  join(station: Station, interfaceName: string): void {
    this.#stations.set(station, interfaceName);
  }

  leave(station: Station): void {
    this.#stations.delete(station);
  }

  /** Also for attackers: bytes from any address and port. Senders hear themselves, as on a real machine. */
  send(bytes: Uint8Array, from: { readonly address: string; readonly port: number }, sender?: Station): void {
    const packet = decode(bytes);
    this.heard.push({ at: this.#clock.now(), packet });
    for (const [station, name] of this.#stations) {
      const local = station.interfaces.find((each) => each.name === name);
      if (!local?.subnets.some(({ address }) => isIpv6(address) === isIpv6(from.address))) continue;
      if (station !== sender && this.#random.chance(this.weather.loss)) continue;
      const copies = this.#random.chance(this.weather.duplicate) ? 2 : 1;
      for (let i = 0; i < copies; i++)
        this.#clock.schedule(this.weather.jitterMs * this.#random.number(), () =>
          station.deliver(packet, { interface: name, address: withZone(from.address, local), port: from.port }),
        );
    }
  }
}

/** The sockets of one machine. */
export class Station implements MulticastLink {
  readonly problems: readonly string[] = [];
  readonly #joined = new Map<string, { readonly local: LocalInterface; readonly segment: Segment }>();
  #listener: LinkListener | undefined;

  get interfaces(): readonly LocalInterface[] {
    return [...this.#joined.values()].map(({ local }) => local);
  }

  plug(name: string, addresses: string | readonly string[], segment: Segment): void {
    const subnets = [addresses].flat().map((address) => ({ address, prefix: isIpv6(address) ? 64 : 24 }));
    this.#joined.set(name, { local: { name, subnets }, segment });
    segment.join(this, name);
    this.#listener?.onInterfaces();
  }

  unplug(name: string): void {
    this.#joined.get(name)?.segment.leave(this);
    this.#joined.delete(name);
    this.#listener?.onInterfaces();
  }

  listen(listener: LinkListener): void {
    this.#listener = listener;
  }

  async send(message: OutgoingPacket): Promise<void> {
    const joined = this.#joined.get(message.interface);
    const wanted = message.to && isIpv6(message.to.address);
    for (const ipv6 of wanted === undefined ? [false, true] : [wanted]) {
      // RFC 6724 §5 rule 2: to a link-local group from a link-local address.
      const own = joined?.local.subnets.find(({ address }) => (ipv6 ? isLinkLocal(address) : !isIpv6(address)));
      if (own) joined?.segment.send(encode(message), { address: own.address, port: 5353 }, this);
    }
  }

  deliver(packet: DnsPacket & { readonly type: string }, origin: PacketOrigin): void {
    this.#listener?.onPacket(packet, origin, packet.type === "response");
  }

  async close(): Promise<void> {
    for (const name of [...this.#joined.keys()]) this.unplug(name);
    this.#listener = undefined;
  }
}

export function encode({ kind, packet }: Pick<OutgoingPacket, "kind" | "packet">): Uint8Array {
  return new Uint8Array(dnsPacket.encode({ type: kind, ...(encodablePacket(packet) as object) } as never));
}

export function decode(bytes: Uint8Array): DnsPacket & { readonly type: string } {
  return dnsPacket.decode(Buffer.from(bytes)) as never;
}

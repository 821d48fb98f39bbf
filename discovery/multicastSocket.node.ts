import { createSocket, type Socket as UdpSocket } from "node:dgram";
import multicastDns, { type MulticastDNS } from "multicast-dns";
import { isIpv6, type LocalInterface } from "./localInterface.js";
import { isPlausible } from "./packetFilter.js";

export type Family = "IPv4" | "IPv6";

/** RFC 6762 §3 */
const IPV6_GROUP = "ff02::fb";

/** Packets of one family on one interface: a socket for all would send on the default interface only. PROTOCOL.md §7. */
export function openMulticast({ name, subnets, zone = name }: LocalInterface, family: Family): MulticastDNS {
  if (family === "IPv6") {
    const socket = createSocket({ type: "udp6", reuseAddr: true, ipv6Only: true });
    const mdns = multicastDns({ type: "udp6", ip: IPV6_GROUP, interface: `::%${zone}`, bind: "::", socket });
    guard(socket);
    return mdns;
  }
  const own = subnets.find(({ address }) => !isIpv6(address));
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  // Bound to the address alone, Linux would deliver no multicast.
  const mdns = multicastDns({ interface: own?.address ?? "", bind: "0.0.0.0", socket });
  guard(socket);
  return mdns;
}

/** Puts the door before the codec, which is the only listener so far. */
function guard(socket: UdpSocket): void {
  const decoders = socket.listeners("message") as ((bytes: Uint8Array, from: unknown) => void)[];
  socket.removeAllListeners("message");
  socket.on("message", (bytes, from) => {
    if (isPlausible(bytes)) for (const decode of decoders) decode(bytes, from);
  });
}

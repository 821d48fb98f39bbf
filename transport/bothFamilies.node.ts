import type { Address, DatagramSocket } from "#kernel/ports.js";
import { bindUdp, PortUnavailableError } from "./udp.node.js";

/** How often a free IPv4 port may turn out to be taken on IPv6. */
const TRIES = 8;

/**
 * One port for IPv4 and IPv6 behind one socket: an address with a colon leaves by the second one. Without IPv6 on this machine it is the
 * first alone. `port` 0 takes any that is free for both. Throws PortUnavailableError.
 */
export async function bindBothFamilies(
  options: { readonly port: number; readonly ipv4: string; readonly ipv6: string },
  bind: typeof bindUdp = bindUdp,
): Promise<DatagramSocket> {
  const { ipv4, ipv6 } = options;
  for (let tries = 1; ; tries++) {
    const first = await bind({ port: options.port, host: ipv4 });
    try {
      return both(first, await bind({ port: first.port, host: ipv6 }));
    } catch (error) {
      if (!isTaken(error)) return first;
      await first.close();
      if (options.port !== 0 || tries === TRIES) throw error;
    }
  }
}

function isTaken(error: unknown): boolean {
  if (!(error instanceof PortUnavailableError)) throw error;
  const { code } = error.cause as NodeJS.ErrnoException;
  return code === "EADDRINUSE" || code === "EACCES" || code === "EPERM";
}

function both(ipv4: DatagramSocket, ipv6: DatagramSocket): DatagramSocket {
  // Datagrams leave in rows for one address: asked once a row.
  let last: Address | undefined;
  let way = ipv4;
  return {
    port: ipv4.port,
    get congested() {
      return ipv4.congested === true || ipv6.congested === true;
    },
    get queuedBytes() {
      return (ipv4.queuedBytes ?? 0) + (ipv6.queuedBytes ?? 0);
    },
    send(bytes, to) {
      if (to !== last) {
        last = to;
        way = to.host.includes(":") ? ipv6 : ipv4;
      }
      way.send(bytes, to);
    },
    onDatagram(listener) {
      ipv4.onDatagram(listener);
      ipv6.onDatagram(listener);
    },
    async close() {
      await Promise.all([ipv4.close(), ipv6.close()]);
    },
  };
}

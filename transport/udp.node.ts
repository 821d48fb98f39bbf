import type { Socket } from "node:dgram";
import { DgramAsPromised } from "dgram-as-promised";
import { HandfastError } from "#kernel/errors.js";
import type { Address, DatagramSocket } from "#kernel/ports.js";

const BUFFER_BYTES = 4 * 1024 * 1024;
/** libuv queues what the kernel does not take; more than this and the pump waits. */
const MAX_QUEUED_BYTES = 256 * 1024;
const ASK_AFTER_BYTES = 64 * 1024;

/** The port is taken or may not be used. */
export class PortUnavailableError extends HandfastError {
  override readonly name = "PortUnavailableError";
  constructor(port: number, cause: unknown) {
    super("PORT_UNAVAILABLE", `UDP port ${port} cannot be used: another program has it. Choose another with --port.`, {
      cause,
    });
  }
}

/** Binds one UDP socket of the family of `host`, the local address to listen on. `port` 0 takes any free one. */
export async function bindUdp(options: { readonly port: number; readonly host: string }): Promise<DatagramSocket> {
  const type = options.host.includes(":") ? "udp6" : "udp4";
  // Addresses are numbers here, never names: the resolver would cost more than the send.
  const promised = DgramAsPromised.createSocket({
    type,
    // IPv4 has a socket of its own (bothFamilies.node.ts), and no address two texts.
    ...(type === "udp6" && { ipv6Only: true }),
    lookup: (host, _options, done) => done(null, host, type === "udp6" ? 6 : 4),
  });
  const raw: Socket = promised.socket;
  let bound: { port: number };
  try {
    bound = await promised.bind({ port: options.port, address: options.host });
  } catch (error) {
    throw new PortUnavailableError(options.port, error);
  }
  // What goes wrong on a socket later (no route, no buffer) is loss, as on any network.
  raw.on("error", () => {});
  enlarge(raw);
  let open = true;
  let unasked = 0;
  return {
    port: bound.port,
    get congested() {
      // Asking costs a tenth of sending: only after as much as may wait anyway.
      if (!open || unasked < ASK_AFTER_BYTES) return false;
      const congested = raw.getSendQueueSize() > MAX_QUEUED_BYTES;
      if (!congested) unasked = 0;
      return congested;
    },
    get queuedBytes() {
      return open ? raw.getSendQueueSize() : 0;
    },
    send(bytes, to) {
      unasked += bytes.length;
      // Without a callback Node tells nobody about an error, and does not wait for the next tick either.
      if (open) raw.send(bytes, to.port, to.host);
    },
    onDatagram(listener: (bytes: Uint8Array, from: Address) => void) {
      let known: Address = { host: "", port: 0 };
      raw.on("message", (message, from) => {
        // Not the Buffer itself: its `slice` would share memory where ours copies.
        const bytes = new Uint8Array(message.buffer, message.byteOffset, message.length);
        // Packets of one peer come in rows: they share one address, which also compares faster.
        if (from.port !== known.port || from.address !== known.host) known = { host: from.address, port: from.port };
        listener(bytes, known);
      });
    },
    async close() {
      open = false;
      await promised.close();
    },
  };
}

function enlarge(socket: Socket): void {
  try {
    socket.setRecvBufferSize(BUFFER_BYTES);
    socket.setSendBufferSize(BUFFER_BYTES);
  } catch {
    // The system keeps its own size; only speed depends on it.
  }
}

import type { Address, Instant } from "#kernel/ports.js";
import { ConnectionFrames } from "./connectionFrames.js";
import { cidKey } from "./connectionId.js";
import type { ConnectionOptions } from "./connectionOptions.js";
import type { ConnectionParts } from "./connectionParts.js";
import type { Counters } from "./connectionStats.js";
import type { Outcomes } from "./outcomes.js";
import { dropReason, type OpenedPacket } from "./packet.js";
import type { PacketWriter } from "./packetWriter.js";
import { parseFrames } from "./parseFrames.js";

/** Opens datagrams, acts on the frames inside, and sees to it that they are acknowledged. */
export class PacketReceiver {
  readonly #options: ConnectionOptions;
  readonly #parts: ConnectionParts;
  readonly #frames: ConnectionFrames;
  readonly #counters: Counters;

  constructor(
    options: ConnectionOptions,
    parts: ConnectionParts,
    writer: PacketWriter,
    outcomes: Outcomes,
    counters: Counters,
  ) {
    this.#options = options;
    this.#parts = parts;
    this.#frames = new ConnectionFrames(options, parts, writer, outcomes);
    this.#counters = counters;
  }

  /** The packet inside, or undefined when it is not authentic. `open`: neither end has begun to close. Throws TransportError. */
  open(datagram: Uint8Array, from: Address, open: boolean, now: Instant): OpenedPacket | undefined {
    const { protection, rekey, log } = this.#options;
    const { forged, duplicate } = protection.drops;
    const packet = protection.open(datagram);
    if (!packet) {
      if (log) log.packetDropped(dropReason(datagram, protection.drops, forged, duplicate), datagram.length, now);
      if (protection.drops.duplicate > duplicate)
        this.#parts.arrivals.onDuplicate(protection.duplicateNumber, datagram.length, from, now);
      if (protection.drops.forged > forged && open && rekey.onPacketForged(now)) {
        // Who made them knows the connection ID that the peer sends to: from now on it is another one.
        this.#parts.cids.renew();
      }
      return undefined;
    }
    this.#counters.packetsReceived++;
    this.#counters.bytesReceived += datagram.length;
    log?.packetReceived({ ...packet, number: packet.packetNumber, size: datagram.length }, now);
    return packet;
  }

  /** What is inside the authentic `datagram`. Throws TransportError. */
  take({ packetNumber, payload }: OpenedPacket, datagram: Uint8Array, from: Address, now: Instant): void {
    const { acks, arrivals, path, recovery, memory, receiveWindow, due, idle } = this.#parts;
    const newest = packetNumber > acks.largest;
    const size = datagram.length;
    this.#frames.begin(from, size, now);
    const { refused } = memory.receiving;
    const { highest } = receiveWindow;
    const eliciting = parseFrames(payload, this.#frames);
    // Only our own word can heal a path that a NAT has changed.
    if (receiveWindow.highest > highest && this.#options.role === "initiator") idle.onData();
    if (memory.receiving.refused === refused)
      arrivals.onReceived(packetNumber, size, eliciting, from, now, recovery.ptoBase);
    else {
      // PROTOCOL.md §7: as if it were lost, so that it comes again; but the peer must hear that we are here.
      receiveWindow.repeat();
      due.maxData = true;
    }
    if (this.#options.role === "responder") {
      path.onPacket(from, size, newest, now);
      if (newest) this.#parts.cids.onArrival(cidKey(datagram, 1));
    }
    this.#frames.finish(now);
  }
}

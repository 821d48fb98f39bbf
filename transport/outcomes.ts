import type { Instant } from "#kernel/ports.js";
import type { ConnectionLog } from "./connectionLog.js";
import type { ConnectionParts } from "./connectionParts.js";
import type { Counters } from "./connectionStats.js";
import { type ControllerName, createController, DEFAULT_CONTROLLER } from "./controllers.js";
import { BASE_DATAGRAM, PathMtu } from "./mtu.js";
import type { PacketSender } from "./packetSender.js";
import type { PacketWriter } from "./packetWriter.js";
import type { SentPacket } from "./sentPacket.js";

export interface OutcomesOptions {
  readonly counters: Counters;
  readonly congestion: ControllerName | undefined;
  /** The largest that interface and peer allow. */
  readonly maxDatagram: number;
  readonly log: ConnectionLog | undefined;
}

/** What the other parts have to hear when packets have arrived, when they are given up, and when the path is another. */
export class Outcomes {
  readonly #parts: ConnectionParts;
  readonly #writer: PacketWriter;
  readonly #sender: PacketSender;
  readonly #options: OutcomesOptions;

  constructor(parts: ConnectionParts, writer: PacketWriter, sender: PacketSender, options: OutcomesOptions) {
    this.#parts = parts;
    this.#writer = writer;
    this.#sender = sender;
    this.#options = options;
  }

  onDelivery(acked: readonly SentPacket[], now: Instant): void {
    const { mtu } = this.#parts;
    for (const { size, probe } of acked) {
      mtu.onAcked(size);
      if (probe && mtu.onProbeAcked(size, now)) this.#onPacketSize(now);
    }
    this.#sender.onWindowChange();
  }

  onLoss(lost: readonly SentPacket[], now: Instant): void {
    const { mtu, rtt, recovery } = this.#parts;
    const { counters, log } = this.#options;
    for (const { number, frames, size, probe } of lost) {
      this.#writer.onLost(frames);
      counters.bytesLost += size;
      if (log) log.packetLost(number, recovery.largestAcked - number < recovery.packetThreshold, probe, now);
      if (probe) mtu.onProbeLost(size, now, rtt.smoothed);
    }
    if (mtu.onLost(lost, now)) this.#onPacketSize(now);
  }

  readonly onPathMoved = (sameHost: boolean, now: Instant): void => {
    const parts = this.#parts;
    this.#options.counters.pathChanges++;
    parts.cids.onMoved();
    parts.recovery.probe();
    // RFC 9000 §9.4: another host is another network, and what was learned about the old one is void.
    if (sameHost) return;
    const fresh = createController(this.#options.congestion ?? DEFAULT_CONTROLLER, BASE_DATAGRAM);
    parts.mtu = new PathMtu(this.#options.maxDatagram);
    parts.pacer.setMaxDatagram(BASE_DATAGRAM);
    parts.congestion = fresh;
    parts.recovery.startPath(fresh);
    this.#options.log?.packetSize(BASE_DATAGRAM, now);
  };

  #onPacketSize(now: Instant): void {
    const { mtu, congestion, pacer } = this.#parts;
    congestion.setMaxDatagram(mtu.current);
    pacer.setMaxDatagram(mtu.current);
    this.#options.log?.packetSize(mtu.current, now);
  }
}

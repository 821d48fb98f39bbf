import type { Instant } from "#kernel/ports.js";
import type { ConnectionOptions } from "./connectionOptions.js";
import type { ConnectionParts } from "./connectionParts.js";
import type { Counters } from "./connectionStats.js";
import { createController, DEFAULT_CONTROLLER } from "./controllers.js";
import { BASE_DATAGRAM, PathMtu } from "./mtu.js";
import type { PacketSender } from "./packetSender.js";
import type { PacketWriter } from "./packetWriter.js";
import type { SentPacket } from "./sentPacket.js";

/** What the other parts have to hear when packets have arrived, when they are given up, and when the path is another. */
export class Outcomes {
  readonly #parts: ConnectionParts;
  readonly #writer: PacketWriter;
  readonly #sender: PacketSender;
  readonly #options: ConnectionOptions;
  readonly #counters: Counters;
  readonly #maxDatagram: number;

  /** `maxDatagram`: the largest that interface and peer allow. */
  constructor(
    options: ConnectionOptions,
    parts: ConnectionParts,
    writer: PacketWriter,
    sender: PacketSender,
    counters: Counters,
    maxDatagram: number,
  ) {
    this.#parts = parts;
    this.#writer = writer;
    this.#sender = sender;
    this.#options = options;
    this.#counters = counters;
    this.#maxDatagram = maxDatagram;
  }

  onDelivery(acked: readonly SentPacket[], now: Instant): void {
    const { mtu, path, recovery } = this.#parts;
    if (acked.length > 0) path.onAnswered();
    // The sizes of what left on another path say nothing about this one.
    for (const { size, probe } of recovery.here(acked)) {
      mtu.onAcked(size);
      if (probe && mtu.onProbeAcked(size, now)) this.#onPacketSize(now);
    }
    this.#sender.onWindowChange();
  }

  onLoss(lost: readonly SentPacket[], now: Instant): void {
    if (lost.length === 0) return;
    const { mtu, rtt, recovery } = this.#parts;
    const { log } = this.#options;
    for (const { number, frames, size, probe } of lost) {
      this.#writer.onLost(frames);
      this.#counters.bytesLost += size;
      if (log) log.packetLost(number, recovery.largestAcked - number < recovery.packetThreshold, probe, now);
    }
    const here = recovery.here(lost);
    for (const { size, probe } of here) if (probe) mtu.onProbeLost(size, now, rtt.smoothed);
    if (mtu.onLost(here, now)) this.#onPacketSize(now);
  }

  /** A deadline of loss recovery may have passed. */
  onTimeout(now: Instant): void {
    const { recovery, path } = this.#parts;
    const { log, role } = this.#options;
    const { ptoCount } = recovery;
    this.onLoss(recovery.onTimeout(now), now);
    if (recovery.ptoCount === ptoCount) return;
    this.#counters.probeTimeouts++;
    log?.probeTimeout(recovery.ptoCount, now);
    // Who dialled can dial another way; who was dialled waits.
    if (role === "initiator" && recovery.silent(now)) path.verify(now);
  }

  onPathMoved(sameHost: boolean, now: Instant): void {
    const parts = this.#parts;
    this.#counters.pathChanges++;
    parts.cids.onMoved();
    parts.arrivals.onPathMoved(now);
    parts.recovery.probe();
    // What the reader has waited for longest leads the way, if it can be said again.
    for (const { frames } of parts.recovery.oldest(parts.recovery.probesDue)) this.#writer.onLost(frames);
    // RFC 9000 §9.4: another host is another network, and what was learned about the old one is void.
    if (sameHost) return;
    const fresh = createController(this.#options.congestion ?? DEFAULT_CONTROLLER, BASE_DATAGRAM);
    parts.mtu = new PathMtu(this.#maxDatagram);
    parts.pacer.setMaxDatagram(BASE_DATAGRAM);
    parts.congestion = fresh;
    parts.recovery.startPath(fresh);
    this.#options.log?.packetSize(BASE_DATAGRAM, now);
  }

  /** The peer is not heard from where it was, or is again. */
  tellOfPath(now: Instant): void {
    const { path, events } = this.#parts;
    const news = path.takeNews();
    if (!news) return;
    events.push({ type: news });
    this.#options.log?.path(news, path.current, now);
  }

  #onPacketSize(now: Instant): void {
    const { mtu, congestion, pacer } = this.#parts;
    congestion.setMaxDatagram(mtu.current);
    pacer.setMaxDatagram(mtu.current);
    this.#options.log?.packetSize(mtu.current, now);
  }
}

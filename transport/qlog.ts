import { toHex } from "#kernel/bytes.js";
import type { Address, Instant } from "#kernel/ports.js";
import type { CloseInfo } from "./closing.js";
import type { ConnectionLog, LoggedPacket, RekeyStep } from "./connectionLog.js";
import type { ConnectionStats } from "./connectionStats.js";
import { describeFrames } from "./describeFrames.js";
import { BASE_DATAGRAM } from "./mtu.js";
import type { PacketDrops } from "./packet.js";
import { QLOG_DIALECTS, QLOG_EVENTS, type QlogFormat, type Traced } from "./qlogDialect.js";

const RECORD_SEPARATOR = "\u001e";
const METRICS_EVERY_MS = 5;
/** QUIC's name for the packet that does the same. */
const HANDSHAKE = { init: "initial", response: "handshake", cookie: "retry" } as const;
const DROPPED: Readonly<Record<keyof PacketDrops, string>> = {
  short: "invalid",
  epoch: "key_unavailable",
  duplicate: "duplicate",
  forged: "decryption_failure",
};
const ONE_RTT = { packet_type: "1RTT" } as const;

export interface QlogOptions extends Traced {
  /** Our first connection ID. */
  readonly cid: Uint8Array;
  readonly now: Instant;
  /** Takes one record, in order. */
  readonly write: (record: string) => void;
  readonly format?: QlogFormat;
}

/**
 * One connection as a qlog trace (JSON text sequences of RFC 7464): PROTOCOL.md §13.
 * QUIC's event names where the meaning is QUIC's, so that its viewers work; ours begin with `handfast:`.
 */
export class Qlog implements ConnectionLog {
  readonly #write: (record: string) => void;
  readonly #format: QlogFormat;
  readonly #role: QlogOptions["role"];
  readonly #began: Instant;
  #now: Instant;
  #metricsAt: Instant = Number.NEGATIVE_INFINITY;
  #packetSize = BASE_DATAGRAM;
  #congestion: string | undefined;
  #over = false;

  constructor(options: QlogOptions) {
    this.#write = options.write;
    this.#format = options.format ?? "0.3";
    this.#role = options.role;
    this.#began = options.now;
    this.#now = options.now;
    const dialect = QLOG_DIALECTS[this.#format];
    this.#record(dialect.head(options));
    this.#event("started", dialect.started(toHex(options.cid)), options.now);
  }

  packetSent(packet: LoggedPacket, now: Instant): void {
    this.#event("sent", this.#packet(packet), now);
  }

  packetReceived(packet: LoggedPacket, now: Instant): void {
    this.#event("received", this.#packet(packet), now);
  }

  handshakeSent(kind: keyof typeof HANDSHAKE, length: number, now: Instant): void {
    this.#event("sent", { header: { packet_type: HANDSHAKE[kind] }, raw: { length }, frames: [] }, now);
  }

  handshakeReceived(kind: keyof typeof HANDSHAKE, length: number, now: Instant): void {
    this.#event("received", { header: { packet_type: HANDSHAKE[kind] }, raw: { length }, frames: [] }, now);
  }

  packetDropped(reason: keyof PacketDrops, length: number, now: Instant): void {
    this.#event("dropped", { header: ONE_RTT, raw: { length }, trigger: DROPPED[reason] }, now);
  }

  packetLost(number: number, late: boolean, probe: boolean, now: Instant): void {
    const trigger = late ? "time_threshold" : "reordering_threshold";
    const header = { ...ONE_RTT, packet_number: number };
    this.#event("lost", { header, trigger, ...(probe && { is_mtu_probe_packet: true }) }, now);
  }

  spuriousLoss(number: number, now: Instant): void {
    this.#event("spurious", { packet_number_space: "application_data", packet_number: number }, now);
  }

  probeTimeout(count: number, now: Instant): void {
    this.#event("metrics", { pto_count: count }, now);
  }

  packetSize(size: number, now: Instant): void {
    if (size !== this.#packetSize) this.#event("mtu", { old: this.#packetSize, new: size }, now);
    this.#packetSize = size;
  }

  metrics(state: string, stats: () => ConnectionStats, now: Instant): void {
    if (state !== this.#congestion) {
      const old = this.#congestion;
      this.#event("congestion", { ...(old !== undefined && { old }), new: state }, now);
      this.#congestion = state;
    }
    if (now - this.#metricsAt < METRICS_EVERY_MS) return;
    this.#metricsAt = now;
    const { rttMs, latestRttMs, minRttMs, window, bytesInFlight } = stats();
    const sampled = Number.isFinite(minRttMs) && { min_rtt: minRttMs, latest_rtt: latestRttMs };
    const flight = { congestion_window: Math.round(window), bytes_in_flight: bytesInFlight };
    this.#event("metrics", { smoothed_rtt: rttMs, ...sampled, ...flight }, now);
  }

  rekey(step: RekeyStep, epoch: number, now: Instant): void {
    this.#event("rekey", { step, epoch }, now);
  }

  keysInstalled(epoch: number, now: Instant): void {
    this.#keys("keyUpdated", epoch, now);
  }

  keysDiscarded(epoch: number, now: Instant): void {
    this.#keys("keyDiscarded", epoch, now);
  }

  path(change: "moved" | "suspect" | "answers" | "networkChanged", peer: Address, now: Instant): void {
    this.#event("path", { change, remote: `${peer.host} ${peer.port}` }, now);
  }

  resumed(hiddenMs: number, now: Instant): void {
    this.#event("resume", { hidden: hiddenMs }, now);
  }

  closed(info: CloseInfo): void {
    if (this.#over) return;
    this.#over = true;
    this.#event("closed", QLOG_DIALECTS[this.#format].closed(info), this.#now);
  }

  #keys(event: "keyUpdated" | "keyDiscarded", epoch: number, now: Instant): void {
    // Only the initiator renews keys.
    const trigger = this.#role === "initiator" ? "local_update" : "remote_update";
    for (const key_type of ["client_1rtt_secret", "server_1rtt_secret"])
      this.#event(event, { key_type, key_phase: epoch, trigger }, now);
  }

  #packet({ number, epoch, size, payload }: LoggedPacket): object {
    const frames = describeFrames(payload).map(QLOG_DIALECTS[this.#format].frame);
    return { header: { ...ONE_RTT, packet_number: number, key_phase: epoch }, raw: { length: size }, frames };
  }

  #event(event: keyof typeof QLOG_EVENTS, data: object, now: Instant): void {
    // Some parts of a connection hear of the time less often than others.
    this.#now = Math.max(this.#now, now);
    const time = Math.round((this.#now - this.#began) * 1000) / 1000;
    this.#record({ time, name: QLOG_EVENTS[event][this.#format], data });
  }

  #record(value: object): void {
    this.#write(`${RECORD_SEPARATOR}${JSON.stringify(value)}\n`);
  }
}

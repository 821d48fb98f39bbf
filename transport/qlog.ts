import { toHex } from "#kernel/bytes.js";
import type { Instant } from "#kernel/ports.js";
import type { CloseInfo } from "./closing.js";
import type { ConnectionLog, LoggedPacket } from "./connectionLog.js";
import type { ConnectionStats } from "./connectionStats.js";
import { describeFrames } from "./describeFrames.js";

const RECORD_SEPARATOR = "\u001e";
const METRICS_EVERY_MS = 5;

export interface QlogOptions {
  readonly role: "initiator" | "responder";
  /** Our first connection ID. */
  readonly cid: Uint8Array;
  readonly now: Instant;
  /** Milliseconds since 1970 at `now`. */
  readonly wall: number;
  /** Takes one record, in order. */
  readonly write: (record: string) => void;
}

/**
 * One connection as a qlog trace (draft-ietf-quic-qlog-main-schema, JSON text sequences of RFC 7464): PROTOCOL.md §13.
 * QUIC's event names where the meaning is QUIC's, so that its viewers work; ours begin with `handfast:`.
 */
export class Qlog implements ConnectionLog {
  readonly #write: (record: string) => void;
  readonly #began: Instant;
  #now: Instant;
  #metricsAt: Instant = Number.NEGATIVE_INFINITY;

  constructor(options: QlogOptions) {
    this.#write = options.write;
    this.#began = options.now;
    this.#now = options.now;
    this.#record({
      qlog_version: "0.3",
      qlog_format: "JSON-SEQ",
      title: "handfast",
      trace: {
        vantage_point: { type: options.role === "initiator" ? "client" : "server" },
        common_fields: {
          ODCID: toHex(options.cid),
          time_format: "relative",
          reference_time: options.wall,
          protocol_type: ["HANDFAST"],
        },
      },
    });
    this.#event("transport:connection_started", { src_cid: toHex(options.cid) }, options.now);
  }

  packetSent(packet: LoggedPacket, now: Instant): void {
    this.#event("transport:packet_sent", describePacket(packet), now);
  }

  packetReceived(packet: LoggedPacket, now: Instant): void {
    this.#event("transport:packet_received", describePacket(packet), now);
  }

  packetDropped(size: number, now: Instant): void {
    this.#event("transport:packet_dropped", { raw: { length: size }, trigger: "decryption_failure" }, now);
  }

  packetLost(number: number, now: Instant): void {
    this.#event("recovery:packet_lost", { header: { packet_type: "1RTT", packet_number: number } }, now);
  }

  metrics(stats: () => ConnectionStats, now: Instant): void {
    if (now - this.#metricsAt < METRICS_EVERY_MS) return;
    this.#metricsAt = now;
    const { rttMs, window, bytesInFlight } = stats();
    this.#event(
      "recovery:metrics_updated",
      { smoothed_rtt: rttMs, congestion_window: Math.round(window), bytes_in_flight: bytesInFlight },
      now,
    );
  }

  rekeyed(epoch: number): void {
    this.#event("security:key_updated", { key_type: "both_1rtt_secrets", key_phase: epoch }, this.#now);
  }

  moved(to: { readonly host: string; readonly port: number }, now: Instant): void {
    this.#event("handfast:path_changed", { remote: `${to.host} ${to.port}` }, now);
  }

  closed(info: CloseInfo): void {
    const owner = info.remote ? "remote" : "local";
    const code = info.error?.code ?? info.code;
    this.#event("transport:connection_closed", { owner, connection_code: code, reason: info.reason }, this.#now);
  }

  #event(name: string, data: object, now: Instant): void {
    this.#now = now;
    this.#record({ time: Math.round((now - this.#began) * 1000) / 1000, name, data });
  }

  #record(value: object): void {
    this.#write(`${RECORD_SEPARATOR}${JSON.stringify(value)}\n`);
  }
}

function describePacket({ number, epoch, size, payload }: LoggedPacket): object {
  return {
    header: { packet_type: "1RTT", packet_number: number, key_phase: epoch },
    raw: { length: size },
    frames: describeFrames(payload),
  };
}

import { toHex } from "#kernel/bytes.js";
import type { CloseInfo } from "./closing.js";
import type { DescribedFrame } from "./describeFrames.js";

/** "0.3" is what viewers read best; "latest": the main schema with `file_schema`, and draft-ietf-quic-qlog-quic-events-12. */
export type QlogFormat = "0.3" | "latest";

/** Everything a trace can tell, and its name in both formats. What QUIC's schema lacks is ours. */
export const QLOG_EVENTS = {
  started: { "0.3": "transport:connection_started", latest: "quic:connection_started" },
  closed: { "0.3": "transport:connection_closed", latest: "quic:connection_closed" },
  sent: { "0.3": "transport:packet_sent", latest: "quic:packet_sent" },
  received: { "0.3": "transport:packet_received", latest: "quic:packet_received" },
  dropped: { "0.3": "transport:packet_dropped", latest: "quic:packet_dropped" },
  lost: { "0.3": "recovery:packet_lost", latest: "quic:packet_lost" },
  spurious: { "0.3": "recovery:spurious_loss", latest: "handfast:spurious_loss" },
  metrics: { "0.3": "recovery:metrics_updated", latest: "quic:recovery_metrics_updated" },
  congestion: { "0.3": "recovery:congestion_state_updated", latest: "quic:congestion_state_updated" },
  mtu: { "0.3": "recovery:mtu_updated", latest: "quic:mtu_updated" },
  keyUpdated: { "0.3": "security:key_updated", latest: "quic:key_updated" },
  keyDiscarded: { "0.3": "security:key_discarded", latest: "quic:key_discarded" },
  rekey: { "0.3": "handfast:rekey", latest: "handfast:rekey" },
  path: { "0.3": "handfast:path", latest: "handfast:path" },
  resume: { "0.3": "handfast:resume", latest: "handfast:resume" },
} as const;

/** Which connection a trace is about. */
export interface Traced {
  readonly role: "initiator" | "responder";
  /** The initiator's first connection ID: both ends name the connection by it. */
  readonly clientCid: Uint8Array;
  /** Milliseconds since 1970 when it began. */
  readonly wall: number;
}

/** Where the two formats differ. */
interface Dialect {
  head(options: Traced): object;
  started(cid: string): object;
  closed(info: CloseInfo): object;
  frame(frame: DescribedFrame): object;
}

const vantage = ({ role }: Traced): object => ({ type: role === "initiator" ? "client" : "server" });

const OLD: Dialect = {
  head: (options) => ({
    ...{ qlog_version: "0.3", qlog_format: "JSON-SEQ", title: "handfast" },
    trace: {
      vantage_point: vantage(options),
      common_fields: {
        ...{ ODCID: toHex(options.clientCid), protocol_type: ["HANDFAST"] },
        ...{ time_format: "relative", reference_time: options.wall },
      },
    },
  }),
  started: (cid) => ({ src_cid: cid }),
  closed: ({ error, code, reason, remote }) => ({
    ...{ owner: remote ? "remote" : "local", reason },
    ...(error ? { connection_code: error.code } : { application_code: code }),
  }),
  frame: (frame) => frame,
};

const LATEST: Dialect = {
  head: (options) => ({
    file_schema: "urn:ietf:params:qlog:file:sequential",
    ...{ serialization_format: "application/qlog+json-seq", title: "handfast" },
    trace: {
      event_schemas: ["urn:ietf:params:qlog:events:quic-12", "urn:handfast:qlog:1"],
      vantage_point: vantage(options),
      common_fields: {
        ...{ group_id: toHex(options.clientCid), protocol_types: ["HANDFAST"], time_format: "relative_to_epoch" },
        reference_time: {
          ...{ clock_type: "monotonic", epoch: "unknown" },
          wall_clock_time: new Date(options.wall).toISOString(),
        },
      },
    },
  }),
  started: (cid) => ({ local: { connection_ids: [cid] }, remote: {} }),
  closed: ({ error, code, reason, remote }) => ({
    ...{ initiator: remote ? "remote" : "local", reason },
    ...(error
      ? { connection_error: error.code.toLowerCase(), error_code: error.transportCode }
      : { application_error: "unknown", error_code: code }),
    trigger: error ? (error.code === "IDLE" ? "idle_timeout" : "error") : "application",
  }),
  frame: ({ length, ...frame }) => (length === undefined ? frame : { ...frame, raw: { payload_length: length } }),
};

export const QLOG_DIALECTS: Readonly<Record<QlogFormat, Dialect>> = { "0.3": OLD, latest: LATEST };

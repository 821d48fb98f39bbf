import type { ConnectionParts } from "./connectionParts.js";

/** Times in milliseconds, sizes in bytes of UDP payload; counts since the connection began. */
export interface ConnectionStats {
  /** Smoothed round-trip time. `minRttMs` is infinite, `latestRttMs` 0 before the first sample. */
  readonly rttMs: number;
  readonly latestRttMs: number;
  readonly minRttMs: number;
  /** From the dial to the first packet under the new keys; undefined before. The responder counts from its answer. */
  readonly handshakeMs: number | undefined;
  /** Bytes that may be in flight, and that are. */
  readonly window: number;
  readonly bytesInFlight: number;
  /** Bytes of a full packet. */
  readonly packetSize: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly packetsSent: number;
  readonly packetsReceived: number;
  readonly packetsLost: number;
  readonly bytesLost: number;
  /** Of the lost packets, those that arrived after all. */
  readonly spuriousLosses: number;
  /** Stream bytes that were sent again. */
  readonly bytesResent: number;
  /** Times that nothing was heard for so long that the peer was probed. */
  readonly probeTimeouts: number;
  /** Datagrams of the application that were dropped: sent ones for want of room, late ones, received ones that nobody took in time. */
  readonly datagramsDropped: number;
  readonly datagramsExpired: number;
  readonly datagramsUnread: number;
  /** Time for which the peer's limits kept us from sending: those of single streams or of how many there may be, and the connection's. */
  readonly streamBlockedMs: number;
  readonly connectionBlockedMs: number;
  /** Time for which we could have sent more, and the application had nothing. */
  readonly applicationLimitedMs: number;
  readonly epoch: number;
  readonly epochAgeMs: number;
  /** Moves to another address, the peer's and ours. */
  readonly pathChanges: number;
  /** Open streams. */
  readonly streams: number;
}

/** What the connection itself counts. */
export class Counters {
  bytesReceived = 0;
  packetsReceived = 0;
  bytesLost = 0;
  probeTimeouts = 0;
  pathChanges = 0;
  handshakeMs: number | undefined;
}

/** What the parts of a connection know about it. */
export function partsStats(
  parts: ConnectionParts,
  now: number,
): Omit<ConnectionStats, keyof Counters | "bytesSent" | "packetsSent" | "bytesResent" | "epoch" | "epochAgeMs"> {
  const { rtt, recovery, congestion, datagramsOut, datagramsIn } = parts;
  return {
    rttMs: rtt.smoothed,
    latestRttMs: rtt.latest,
    minRttMs: rtt.min,
    window: congestion.window,
    bytesInFlight: recovery.bytesInFlight,
    packetSize: parts.mtu.current,
    packetsLost: recovery.lostPackets,
    spuriousLosses: recovery.spuriousLosses,
    datagramsDropped: datagramsOut.dropped,
    datagramsExpired: datagramsOut.expired,
    datagramsUnread: datagramsIn.dropped,
    streamBlockedMs: parts.blocked.ms("stream", now),
    connectionBlockedMs: parts.blocked.ms("connection", now),
    applicationLimitedMs: parts.blocked.ms("application", now),
    streams: parts.streams.size,
  };
}

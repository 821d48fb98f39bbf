import type { ConnectionParts } from "./connectionParts.js";

export interface ConnectionStats {
  readonly rttMs: number;
  readonly window: number;
  /** UDP payload bytes of a full packet. */
  readonly packetSize: number;
  readonly bytesInFlight: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly packetsSent: number;
  readonly packetsReceived: number;
  readonly packetsLost: number;
  /** Of those, packets that arrived after all. */
  readonly spuriousLosses: number;
  readonly epoch: number;
  readonly streams: number;
}

/** What the parts of a connection know about it. */
export function partsStats({
  rtt,
  recovery,
  congestion,
  streams,
  mtu,
}: ConnectionParts): Omit<
  ConnectionStats,
  "bytesSent" | "bytesReceived" | "packetsSent" | "packetsReceived" | "epoch"
> {
  return {
    rttMs: rtt.smoothed,
    window: congestion.window,
    packetSize: mtu.current,
    bytesInFlight: recovery.bytesInFlight,
    packetsLost: recovery.lostPackets,
    spuriousLosses: recovery.spuriousLosses,
    streams: streams.size,
  };
}

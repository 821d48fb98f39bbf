import type { Instant } from "#kernel/ports.js";
import type { AckFrequency } from "./frames.js";

/** What a packet carried that somebody must hear about when it is acknowledged or lost. */
export type SentFrame =
  | {
      readonly kind: "stream";
      readonly id: number;
      readonly offset: number;
      readonly length: number;
      readonly fin: boolean;
    }
  | { readonly kind: "crypto"; readonly offset: number; readonly length: number }
  | { readonly kind: "ack"; readonly largest: number }
  | { readonly kind: "maxData" }
  | { readonly kind: "maxStreams"; readonly unidirectional: boolean }
  | { readonly kind: "maxStreamData" | "resetStream" | "stopSending"; readonly id: number }
  | { readonly kind: "newCid" | "retireCid"; readonly sequence: number }
  | { readonly kind: "rekeyRequest"; readonly epoch: number }
  | { readonly kind: "ackFrequency"; readonly frequency: AckFrequency };

/** A packet as the sender hands it to recovery. Only ack-eliciting packets are kept and counted in flight. */
export interface NewPacket {
  readonly number: number;
  readonly sentAt: Instant;
  /** UDP payload bytes. */
  readonly size: number;
  readonly frames: readonly SentFrame[];
  /** It only asks whether this size arrives: its loss says nothing about congestion (RFC 8899 §3). */
  readonly probe: boolean;
}

/** One packet on its way, with the state of delivery when it left: what its acknowledgement is measured against. */
export interface SentPacket extends NewPacket {
  /** Bytes that were known to have arrived, and since when. */
  readonly delivered: number;
  readonly deliveredAt: Instant;
  /** When the first packet of the flight left that this one belongs to. */
  readonly flightStart: Instant;
  /** Bytes in flight with this packet. */
  readonly inFlight: number;
  /** Bytes that were known to be lost. */
  readonly lost: number;
  /** The sender had nothing more to send although the window was open: its rate is not the path's. */
  readonly appLimited: boolean;
}

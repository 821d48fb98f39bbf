import type { Instant } from "#kernel/ports.js";

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
  | { readonly kind: "rekeyRequest"; readonly epoch: number };

/** One packet on its way. Only ack-eliciting packets are kept and counted in flight; an ACK alone is not. */
export interface SentPacket {
  readonly number: number;
  readonly sentAt: Instant;
  /** UDP payload bytes. */
  readonly size: number;
  readonly frames: readonly SentFrame[];
  /** The sender had nothing more to send although the window was open. */
  readonly appLimited: boolean;
}

import type { EndpointStats } from "#transport/endpointStats.js";

/** What has been dropped and why, by who would have read it. */
export type Drops = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** What may be an attack, or a person's own doing, and how often since the start: PROTOCOL.md §3. */
export interface Warnings {
  /** In the place of a device that did not answer stood another one. */
  readonly identityChanged: number;
  /** Another holder of a bond was ahead. */
  readonly bondCopied: number;
}

/** What a device does, at one moment: names and units of the channel's own numbers in EndpointStats. */
export interface DeviceStats extends Omit<EndpointStats, "drops"> {
  readonly drops: Drops;
  readonly warnings: Warnings;
  /** Bytes that the system has not taken from us yet. */
  readonly sendQueueBytes: number;
  /** How late timers were, in milliseconds, for one in a hundred since the last question. Undefined unless `measureLoop` was asked for. */
  readonly eventLoopLagP99Ms: number | undefined;
}

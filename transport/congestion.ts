import type { Instant } from "#kernel/ports.js";

/** What a controller is told about a packet that left the network. */
export interface PacketReport {
  readonly size: number;
  readonly sentAt: Instant;
}

/** Decides how many bytes may be in flight. All sizes are UDP payload bytes. */
export interface CongestionController {
  readonly name: string;
  readonly window: number;
  /** True while the window is still being searched for: the pacer runs faster then. */
  readonly inSlowStart: boolean;
  /** `appLimited`: less than a window was in flight, so the acknowledgement proves nothing (RFC 9002 §7.8). */
  onAcked(packet: PacketReport, appLimited: boolean): void;
  /** Once per batch of losses, with the newest lost packet (RFC 9002 §7.3.2). */
  onCongestion(newestLost: PacketReport, now: Instant): void;
  /** RFC 9002 §7.6. */
  onPersistentCongestion(): void;
}

import type { Crypto } from "#crypto/crypto.js";
import type { RandomSource } from "#kernel/ports.js";
import type { PairedPeer, PairingIdentity } from "./exchange.js";
import type { InvitationEvent, MethodKind, ResponderMethod } from "./invitation.js";
import type { PairingError } from "./reasons.js";
import type { SessionEvent } from "./responderStates.js";
import type { PairingAttempts } from "./window.js";

export interface PairingResponderOptions {
  readonly crypto: Crypto;
  readonly random: RandomSource;
  readonly identity: PairingIdentity;
  readonly attempts: PairingAttempts;
}

export interface WindowOptions {
  readonly seconds?: number;
  /** Failures that close it. */
  readonly attempts?: number;
  readonly method?: ResponderMethod;
  /** The person knows that ten tries in a row have failed, and wants to show letters all the same. */
  readonly insist?: boolean;
}

/** What happens to the PC's machine while strangers may try: PROTOCOL.md §7. */
export type HostChange = "slept" | "networkChanged";
export type CloseReason = "time" | "success" | "tooManyTries" | "closed" | "linkUsedTwice" | HostChange;

export type ResponderEvent =
  | { readonly type: "windowOpened"; readonly seconds: number; readonly method: MethodKind }
  | { readonly type: "windowClosed"; readonly reason: CloseReason }
  /** Store the counters; with an `id`, then call `attemptsPersisted` or `attemptsFailed` with it. */
  | { readonly type: "persistAttempts"; readonly attempts: PairingAttempts; readonly id?: string }
  | InvitationEvent
  | SessionEvent
  | { readonly type: "done"; readonly id: string; readonly peer: PairedPeer }
  | { readonly type: "failed"; readonly id: string; readonly peerName: string; readonly error: PairingError };

/** Why datagrams were dropped. */
export interface ResponderDrops {
  malformed: number;
  closed: number;
  cookie: number;
  unexpected: number;
}

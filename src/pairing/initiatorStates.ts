import type { KeyPair } from "#crypto/crypto.js";
import type { Address, Instant } from "#kernel/ports.js";
import type { AttemptContext } from "./conversation.js";
import type { PairedPeer, PairingKeys } from "./exchange.js";
import type { Features } from "./features.js";
import type { PairingError } from "./reasons.js";

export type InitiatorEvent =
  | {
      readonly type: "digits";
      readonly id: string;
      readonly digits: string;
      readonly peerName: string;
      readonly peerPlatform: string;
    }
  /** The person shall type the letters of the other screen: `enterCode`. */
  | { readonly type: "code"; readonly id: string; readonly peerName: string; readonly peerPlatform: string }
  /** Tries before this one have failed, so the PC takes ours only in so many seconds; it goes on by itself. Once an attempt. */
  | { readonly type: "delayed"; readonly seconds: number }
  /** Our person is done; the other one is not yet. */
  | { readonly type: "waitingForPeer" }
  /** Store the bond, then call `bondStored` or `bondFailed`. */
  | { readonly type: "provisional"; readonly peer: PairedPeer }
  | { readonly type: "done"; readonly peer: PairedPeer }
  | { readonly type: "failed"; readonly error: PairingError };

export interface InitiatorContext extends AttemptContext {
  readonly to: Address;
}

/** What both have said up to the OFFER. */
export interface Offered {
  readonly keyPair: KeyPair;
  readonly featuresA: Uint8Array;
  readonly featuresB: Uint8Array;
  readonly parsedB: Features;
  readonly publicB: Uint8Array;
  readonly commitment: Uint8Array;
  readonly transcript: readonly Uint8Array[];
}

/** Keys live in the state that may use them and die with it. The diagram is in PROTOCOL.md §3. */
export type InitiatorState =
  | { readonly name: "hello"; readonly keyPair: KeyPair; readonly featuresA: Uint8Array }
  | { readonly name: "started"; readonly keyPair: KeyPair; readonly featuresA: Uint8Array; readonly start: Uint8Array }
  // numeric comparison
  | ({ readonly name: "nonce"; readonly na: Uint8Array } & Offered)
  | ({
      readonly name: "comparing";
      readonly na: Uint8Array;
      readonly nb: Uint8Array;
      readonly userUntil: Instant;
    } & Offered)
  // passkey entry
  | ({ readonly name: "typing"; readonly userUntil: Instant } & Offered)
  | ({ readonly name: "committing" } & Round & Offered)
  | ({ readonly name: "opening"; readonly committed: Uint8Array } & Round & Offered)
  // out of band
  | ({ readonly name: "exchanging"; readonly na: Uint8Array } & Offered)
  // all
  | { readonly name: "check"; readonly keys: PairingKeys; readonly parsedB: Features; readonly userUntil: Instant }
  | { readonly name: "ident"; readonly keys: PairingKeys; readonly parsedB: Features }
  | { readonly name: "storing"; readonly peer: PairedPeer }
  | { readonly name: "over" };

interface Round {
  readonly passkey: number;
  readonly round: number;
  readonly na: Uint8Array;
}

export type InitiatorStateOf<Name extends InitiatorState["name"]> = Extract<InitiatorState, { readonly name: Name }>;

/** A datagram that is sent until it is answered. */
export interface Request {
  readonly bytes: Uint8Array;
  readonly seq: number;
}

/** What a message or a person's answer leads to. */
export type InitiatorOutcome =
  | {
      readonly to: InitiatorState;
      readonly request?: Request;
      /** Sent once a second. */
      readonly poll?: boolean;
      readonly event?: InitiatorEvent;
    }
  /** The other side has heard and needs time; `delayed`: seconds, because of earlier failures. */
  | { readonly wait: true; readonly delayed?: number }
  | { readonly refuse: number };

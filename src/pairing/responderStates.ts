import type { KeyPair } from "#crypto/crypto.js";
import type { Address } from "#kernel/ports.js";
import type { AttemptContext } from "./conversation.js";
import type { Conversation, PairedPeer, PairingKeys } from "./exchange.js";
import type { Features } from "./features.js";

/** A person is asked: `confirm` or `reject` with the id. */
export interface Question {
  readonly id: string;
  readonly peerName: string;
  readonly peerPlatform: string;
  readonly address: Address;
}

export type SessionEvent =
  | ({ readonly type: "digits"; readonly digits: string } & Question)
  /** The letters or the link were right: may this device come in? */
  | ({ readonly type: "approve"; readonly method: "code" | "link" } & Question)
  /** Store the bond, then call `bondStored` or `bondFailed`. */
  | { readonly type: "provisional"; readonly id: string; readonly peer: PairedPeer };

export interface ResponderContext extends AttemptContext {
  readonly from: Address;
}

/** What both have said up to the OFFER. */
export interface Offered {
  readonly keyPair: KeyPair;
  readonly publicA: Uint8Array;
  readonly featuresA: Uint8Array;
  readonly parsedA: Features;
  readonly featuresB: Uint8Array;
  readonly transcript: readonly Uint8Array[];
}

/** Keys live in the state that may use them and die with it. The diagram is in PROTOCOL.md §3. */
export type ResponderState =
  // numeric comparison
  | ({ readonly name: "offered"; readonly nb: Uint8Array } & Offered)
  // passkey entry
  | ({ readonly name: "waiting" } & Offered)
  | ({ readonly name: "committed"; readonly commitment: Uint8Array; readonly nb: Uint8Array } & Round & Offered)
  | ({ readonly name: "opened" } & Round & Offered)
  // out of band
  | ({ readonly name: "linked" } & Offered)
  | ({ readonly name: "exchanged"; readonly talk: Conversation } & Offered)
  // all
  | { readonly name: "counting"; readonly next: ResponderMove }
  | ({ readonly name: "asking"; readonly talk: Conversation; readonly userYes: boolean } & Offered)
  | { readonly name: "checked"; readonly keys: PairingKeys; readonly parsedA: Features; readonly userYes: boolean }
  | { readonly name: "ident"; readonly keys: PairingKeys; readonly parsedA: Features }
  | { readonly name: "storing"; readonly peer: PairedPeer; readonly answer: Uint8Array }
  | { readonly name: "over" };

interface Round {
  readonly passkey: number;
  readonly round: number;
}

export type ResponderStateOf<Name extends ResponderState["name"]> = Extract<ResponderState, { readonly name: Name }>;

export interface ResponderMove {
  readonly to: ResponderState;
  readonly answer?: Uint8Array;
  readonly event?: SessionEvent;
}

/** What a request or a person's answer leads to. */
export type ResponderOutcome = ResponderMove | { readonly refuse: number };

/** States that hold the one slot: a person is, or is about to be, asked about this attempt. */
const ACTIVE: ReadonlySet<ResponderState["name"]> = new Set([
  ...(["counting", "committed", "opened", "asking"] as const),
  ...(["checked", "ident", "storing"] as const),
]);

export function isActive(state: ResponderState): boolean {
  return ACTIVE.has(state.name);
}

import type { Crypto, KeyPair } from "#crypto/crypto.js";
import { equalConstantTime } from "#kernel/bytes.js";
import { WireError } from "#kernel/errors.js";
import type { Address, Instant, RandomSource } from "#kernel/ports.js";
import {
  bondIdOf,
  bondSecret,
  type Conversation,
  deriveKeys,
  isUsableStatic,
  openIdentity,
  type PairedPeer,
  type PairingIdentity,
  type PairingKeys,
  sealIdentity,
  wipe,
  xOf,
} from "./exchange.js";
import { encodeFeatures, type Features, IO_DISPLAY_YES_NO, MODEL_NUMERIC, PAIRING_VERSION } from "./features.js";
import { ownFeatures } from "./initiator.js";
import { encodeMessage, type Message, STEP, TYPE } from "./messages.js";
import { REASON } from "./reasons.js";
import { f4, g2 } from "./toolbox.js";

interface Offered {
  readonly publicA: Uint8Array;
  readonly featuresA: Uint8Array;
  readonly parsedA: Features;
  readonly featuresB: Uint8Array;
  readonly nb: Uint8Array;
  readonly transcript: readonly Uint8Array[];
}

/** Keys live in the state that may use them and die with it. The diagram is in PROTOCOL.md §3. */
export type ResponderState =
  | ({ readonly name: "offered" } & Offered)
  | ({ readonly name: "counting"; readonly na: Uint8Array; readonly nonce: Uint8Array } & Offered)
  | ({ readonly name: "comparing"; readonly talk: Conversation; readonly userYes: boolean } & Offered)
  | ({ readonly name: "checked"; readonly keys: PairingKeys; readonly userYes: boolean } & Offered)
  | { readonly name: "ident"; readonly keys: PairingKeys; readonly parsedA: Features }
  | { readonly name: "storing"; readonly peer: PairedPeer; readonly answer: Uint8Array }
  | { readonly name: "over" };

/** One attempt as the responder sees it: from a valid START to its bond, or its end. */
export class ResponderSession {
  readonly pid: Uint8Array;
  readonly from: Address;
  readonly peerName: string;
  readonly #crypto: Crypto;
  readonly #random: RandomSource;
  readonly #identity: PairingIdentity;
  readonly #keyPair: KeyPair;
  state: ResponderState;
  /** The last request and what it was answered with. */
  lastSeq: number = STEP.start;
  lastRequest: Uint8Array;
  answer: Uint8Array | undefined;
  /** It ended with a bond: only a repeated IDENT is still answered. */
  bond = false;
  heardAt: Instant;
  userUntil: Instant = Number.POSITIVE_INFINITY;

  constructor(input: {
    readonly crypto: Crypto;
    readonly random: RandomSource;
    readonly identity: PairingIdentity;
    readonly keyPair: KeyPair;
    readonly message: Extract<Message, { type: typeof TYPE.START }>;
    readonly start: Uint8Array;
    readonly parsedA: Features;
    readonly from: Address;
    readonly now: Instant;
  }) {
    const { crypto, random, identity, message, keyPair } = input;
    this.#crypto = crypto;
    this.#random = random;
    this.#identity = identity;
    this.#keyPair = keyPair;
    this.pid = message.pid;
    this.from = input.from;
    this.peerName = input.parsedA.name;
    this.heardAt = input.now;
    const chosen = { version: PAIRING_VERSION, model: MODEL_NUMERIC };
    const featuresB = encodeFeatures({ ...ownFeatures(identity, random), chosen });
    const nb = random(16);
    const publicKey = keyPair.public;
    const commitment = f4(crypto, xOf(publicKey), xOf(message.publicKey), nb, 0);
    const offer = this.encode({ type: TYPE.OFFER, seq: STEP.start, features: featuresB, publicKey, commitment });
    this.lastRequest = input.start.slice();
    this.answer = offer;
    this.state = {
      name: "offered",
      publicA: message.publicKey,
      featuresA: message.features,
      parsedA: input.parsedA,
      featuresB,
      nb,
      transcript: [this.lastRequest, offer],
    };
  }

  /** It holds the one slot for digits. */
  get active(): boolean {
    return this.state.name !== "offered" && this.state.name !== "over";
  }

  onNonce(na: Uint8Array, nonce: Uint8Array): void {
    if (this.state.name !== "offered") return;
    this.state = { ...this.state, name: "counting", na, nonce: nonce.slice() };
  }

  /** The attempt is counted on disk: the nonce may be revealed. Returns the digits. */
  reveal(userUntil: Instant): string | undefined {
    const { state } = this;
    if (state.name !== "counting") return undefined;
    const reveal = this.encode({ type: TYPE.REVEAL, seq: STEP.nonce, nonce: state.nb });
    this.answer = reveal;
    this.userUntil = userUntil;
    const talk: Conversation = {
      pid: this.pid,
      featuresA: state.featuresA,
      featuresB: state.featuresB,
      ioA: state.parsedA.io,
      ioB: IO_DISPLAY_YES_NO,
      na: state.na,
      nb: state.nb,
      transcript: [...state.transcript, state.nonce, reveal],
    };
    this.state = { ...state, name: "comparing", talk, userYes: false };
    return g2(this.#crypto, xOf(state.publicA), xOf(this.#keyPair.public), state.na, state.nb);
  }

  userConfirms(): void {
    if (this.state.name === "comparing" || this.state.name === "checked") this.state = { ...this.state, userYes: true };
    this.#finishCheck();
  }

  /** A reason to abort, or undefined when Ea is right. */
  onCheck(check: Uint8Array): number | undefined {
    const { state } = this;
    if (state.name !== "comparing") return undefined;
    const dhKey = this.#crypto.p256SharedSecret(this.#keyPair, state.publicA);
    if (!dhKey) return REASON.KEY_REJECTED;
    const keys = deriveKeys(this.#crypto, dhKey, state.talk);
    dhKey.fill(0);
    if (!equalConstantTime(check, keys.checkA)) {
      wipe(keys);
      return REASON.DHKEY_CHECK_FAILED;
    }
    this.state = { ...state, name: "checked", keys };
    this.answer = undefined;
    this.#finishCheck();
    return undefined;
  }

  /** The peer, or a reason to abort. */
  onIdent(sealed: Uint8Array): PairedPeer | number {
    const { state } = this;
    if (state.name !== "ident") return REASON.INVALID_PARAMETERS;
    const { keys, parsedA } = state;
    const peer = this.#open(keys, sealed);
    const own = this.#identity;
    if (!peer || !isUsableStatic(this.#crypto, this.#random, peer.staticPublic, own.staticPublic))
      return REASON.DHKEY_CHECK_FAILED;
    const psk = bondSecret(this.#crypto, keys, peer.staticPublic, own.staticPublic);
    const bondId = bondIdOf(this.#crypto, keys);
    const { name, platform } = parsedA;
    const paired = { ...peer, name, platform, psk, bondId, address: this.from };
    const sealedOwn = sealIdentity(this.#crypto, keys, "hf1 ri", own);
    const answer = this.encode({ type: TYPE.IDENTIFIED, seq: STEP.ident, sealed: sealedOwn });
    wipe(keys);
    this.answer = undefined;
    this.state = { name: "storing", peer: paired, answer };
    return paired;
  }

  /** The bond is on disk: our identity may leave. */
  stored(): PairedPeer | undefined {
    if (this.state.name !== "storing") return undefined;
    const { peer, answer } = this.state;
    this.answer = answer;
    this.bond = true;
    this.#end();
    return peer;
  }

  /** Ends without a bond; the answer to whatever still comes is ABORT. */
  abort(reason: number): Uint8Array {
    if ("keys" in this.state) wipe(this.state.keys);
    this.answer = this.encode({ type: TYPE.ABORT, seq: this.lastSeq, reason, retryAfter: 0 });
    this.#end();
    return this.answer;
  }

  wait(seq: number, now: Instant): Uint8Array {
    const yes = "userYes" in this.state && this.state.userYes ? 1 : 0;
    const secondsLeft = Math.min(Math.max(0, Math.ceil((this.userUntil - now) / 1000)), 120);
    return this.encode({ type: TYPE.WAIT, seq, user: yes, secondsLeft });
  }

  encode(message: Message extends infer M ? (M extends Message ? Omit<M, "pid"> : never) : never): Uint8Array {
    return encodeMessage({ ...message, pid: this.pid } as Message);
  }

  /** Both people said yes and Ea is right: only now does Eb leave. */
  #finishCheck(): void {
    const { state } = this;
    if (state.name !== "checked" || !state.userYes) return;
    this.answer = this.encode({ type: TYPE.CHECKED, seq: STEP.check, check: state.keys.checkB.slice() });
    this.state = { name: "ident", keys: state.keys, parsedA: state.parsedA };
  }

  #open(keys: PairingKeys, sealed: Uint8Array): ReturnType<typeof openIdentity> {
    try {
      return openIdentity(this.#crypto, keys, "hf1 ir", sealed);
    } catch (error) {
      if (error instanceof WireError) return undefined;
      throw error;
    }
  }

  #end(): void {
    this.state = { name: "over" };
    this.#keyPair.secret.fill(0);
  }
}

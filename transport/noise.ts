import type { Crypto, KeyPair } from "#crypto/crypto.js";
import { concat, utf8 } from "#kernel/bytes.js";
import { type NoiseResult, SymmetricState } from "./noiseState.js";

/** Pattern: `<- s … -> e, es, s, ss; <- e, ee, se, psk`. Longer than 32 bytes, so it is hashed (§5.2). */
const PROTOCOL = utf8("Noise_IKpsk2_25519_ChaChaPoly_SHA256");
const KEY = 32;
const TAG = 16;

/** e and the encrypted static key: what comes before the payload of message 1. */
export const INIT_HEAD: number = KEY + KEY + TAG;
/** e alone: what comes before the payload of message 2. */
export const RESPONSE_HEAD: number = KEY;
export const NOISE_TAG: number = TAG;

/** The end that knows the other's static key and speaks first. */
export class NoiseInitiator {
  readonly #crypto: Crypto;
  readonly #own: KeyPair;
  readonly #ephemeral: KeyPair;
  readonly #state: SymmetricState;
  readonly #peerStatic: Uint8Array;

  constructor(input: {
    readonly crypto: Crypto;
    readonly prologue: Uint8Array;
    readonly own: KeyPair;
    readonly ephemeral: KeyPair;
    readonly peerStatic: Uint8Array;
  }) {
    this.#crypto = input.crypto;
    this.#own = input.own;
    this.#ephemeral = input.ephemeral;
    this.#peerStatic = input.peerStatic;
    this.#state = begin(input.crypto, input.prologue, input.peerStatic);
  }

  /** Message 1, or undefined when the peer's static key is a low-order point. */
  writeInit(payload: Uint8Array): Uint8Array | undefined {
    const { public: e } = this.#ephemeral;
    mixEphemeral(this.#state, e);
    const es = this.#crypto.x25519(this.#ephemeral, this.#peerStatic);
    const ss = this.#crypto.x25519(this.#own, this.#peerStatic);
    if (!es || !ss) return undefined;
    this.#state.mixKey(es);
    const s = this.#state.encryptAndHash(this.#own.public);
    this.#state.mixKey(ss);
    return concat(e, s, this.#state.encryptAndHash(payload));
  }

  /** Reads message 2 with the first psk that fits. May be tried again with another message: a failure changes nothing. */
  readResponse(
    message: Uint8Array,
    ...psks: readonly Uint8Array[]
  ): { payload: Uint8Array; psk: Uint8Array; result: NoiseResult } | undefined {
    if (message.length < RESPONSE_HEAD + TAG) return undefined;
    const state = this.#state.clone();
    const e = message.subarray(0, KEY);
    mixEphemeral(state, e);
    const ee = this.#crypto.x25519(this.#ephemeral, e);
    const se = this.#crypto.x25519(this.#own, e);
    if (!ee || !se) return undefined;
    state.mixKey(ee);
    state.mixKey(se);
    for (const psk of psks) {
      const keyed = state.clone();
      keyed.mixKeyAndHash(psk);
      const payload = keyed.decryptAndHash(message.subarray(KEY));
      if (payload) return { payload, psk, result: keyed.split() };
    }
    return undefined;
  }
}

/** The end that is found by its static key. Message 1 is read in two steps, so that a stranger costs one Diffie-Hellman. */
export class NoiseResponder {
  readonly #crypto: Crypto;
  readonly #own: KeyPair;
  readonly #state: SymmetricState;
  #peerEphemeral: Uint8Array | undefined;
  #peerStatic: Uint8Array | undefined;

  constructor(input: { readonly crypto: Crypto; readonly prologue: Uint8Array; readonly own: KeyPair }) {
    this.#crypto = input.crypto;
    this.#own = input.own;
    this.#state = begin(input.crypto, input.prologue, input.own.public);
  }

  /** The static key the initiator claims, authentic only once `readPayload` succeeds. `head`: the first 80 bytes. */
  readStatic(head: Uint8Array): Uint8Array | undefined {
    if (head.length !== INIT_HEAD) return undefined;
    const e = head.slice(0, KEY);
    mixEphemeral(this.#state, e);
    const es = this.#crypto.x25519(this.#own, e);
    if (!es) return undefined;
    this.#state.mixKey(es);
    this.#peerEphemeral = e;
    this.#peerStatic = this.#state.decryptAndHash(head.subarray(KEY));
    return this.#peerStatic;
  }

  readPayload(ciphertext: Uint8Array): Uint8Array | undefined {
    if (!this.#peerStatic) return undefined;
    const ss = this.#crypto.x25519(this.#own, this.#peerStatic);
    if (!ss) return undefined;
    this.#state.mixKey(ss);
    return this.#state.decryptAndHash(ciphertext);
  }

  /** Message 2 and the keys. Undefined when the initiator sent low-order points. */
  writeResponse(
    payload: Uint8Array,
    ephemeral: KeyPair,
    psk: Uint8Array,
  ): { message: Uint8Array; result: NoiseResult } | undefined {
    if (!this.#peerEphemeral || !this.#peerStatic) return undefined;
    mixEphemeral(this.#state, ephemeral.public);
    const ee = this.#crypto.x25519(ephemeral, this.#peerEphemeral);
    const se = this.#crypto.x25519(ephemeral, this.#peerStatic);
    if (!ee || !se) return undefined;
    this.#state.mixKey(ee);
    this.#state.mixKey(se);
    this.#state.mixKeyAndHash(psk);
    const message = concat(ephemeral.public, this.#state.encryptAndHash(payload));
    return { message, result: this.#state.split() };
  }
}

function begin(crypto: Crypto, prologue: Uint8Array, responderStatic: Uint8Array): SymmetricState {
  const state = new SymmetricState(crypto, crypto.sha256(PROTOCOL));
  state.mixHash(prologue);
  state.mixHash(responderStatic);
  return state;
}

/** §9.2: in a handshake with a psk, e goes into the key as well. */
function mixEphemeral(state: SymmetricState, e: Uint8Array): void {
  state.mixHash(e);
  state.mixKey(e);
}

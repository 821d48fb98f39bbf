import type { Crypto, KeyPair } from "#crypto/crypto.js";
import { concat } from "#kernel/bytes.js";
import type { RandomSource } from "#kernel/ports.js";
import { freshKeyPair, xOf } from "#pairing/exchange.js";
import { g2 } from "#pairing/toolbox.js";

// A pairing that looks like ours and is not: the same curve, the same nonces, the same six digits, but nobody commits to a nonce
// before it hears the other's. It exists for `handfast demo mitm` only.

const KIND = { keyA: 1, keyB: 2, nonceA: 3, nonceB: 4 } as const;
const KEY = 65;
const NONCE = 16;

/** One side: give it what arrives, send what it returns. */
export interface LookAlike {
  /** The answer to a datagram, or undefined. */
  receive(datagram: Uint8Array): Uint8Array | undefined;
  /** Six digits, once both nonces are known. */
  readonly digits: string | undefined;
}

/** The side that asks. */
export class LookAlikePhone implements LookAlike {
  readonly #crypto: Crypto;
  readonly #keyPair: KeyPair;
  readonly #nonce: Uint8Array;
  #peerKey: Uint8Array | undefined;
  digits: string | undefined;

  constructor(crypto: Crypto, random: RandomSource) {
    this.#crypto = crypto;
    this.#keyPair = freshKeyPair(crypto, random);
    this.#nonce = random(NONCE);
  }

  /** The first datagram. */
  hello(): Uint8Array {
    return message(KIND.keyA, this.#keyPair.public);
  }

  receive(datagram: Uint8Array): Uint8Array | undefined {
    const body = datagram.slice(1);
    if (datagram[0] === KIND.keyB && body.length === KEY) {
      this.#peerKey = body;
      return message(KIND.nonceA, this.#nonce);
    }
    if (datagram[0] === KIND.nonceB && body.length === NONCE && this.#peerKey)
      this.digits = g2(this.#crypto, xOf(this.#keyPair.public), xOf(this.#peerKey), this.#nonce, body);
    return undefined;
  }
}

/** What the side that answers knows when it has to show its nonce. */
export interface Revealing {
  readonly keyA: Uint8Array;
  readonly keyB: Uint8Array;
  readonly nonceA: Uint8Array;
}

/** The side that answers. An attacker passes `reveal` and chooses its nonce when it knows everything else. */
export class LookAlikePc implements LookAlike {
  readonly #crypto: Crypto;
  readonly #keyPair: KeyPair;
  readonly #reveal: (known: Revealing) => Uint8Array;
  #peerKey: Uint8Array | undefined;
  digits: string | undefined;

  constructor(crypto: Crypto, random: RandomSource, reveal: (known: Revealing) => Uint8Array = () => random(NONCE)) {
    this.#crypto = crypto;
    this.#keyPair = freshKeyPair(crypto, random);
    this.#reveal = reveal;
  }

  receive(datagram: Uint8Array): Uint8Array | undefined {
    const body = datagram.slice(1);
    if (datagram[0] === KIND.keyA && body.length === KEY) {
      this.#peerKey = body;
      return message(KIND.keyB, this.#keyPair.public);
    }
    if (datagram[0] !== KIND.nonceA || body.length !== NONCE || !this.#peerKey) return undefined;
    const known = { keyA: this.#peerKey, keyB: this.#keyPair.public, nonceA: body };
    const nonce = this.#reveal(known);
    this.digits = g2(this.#crypto, xOf(known.keyA), xOf(known.keyB), body, nonce);
    return message(KIND.nonceB, nonce);
  }
}

function message(kind: number, body: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(kind), body);
}

import type { Crypto, KeyPair } from "#crypto/crypto.js";
import { type CborValue, encodeCbor } from "#kernel/cbor.js";
import type { RandomSource } from "#kernel/ports.js";
import { decodeMessage, encodeMessage, type Message, startPadding, TYPE } from "#pairing/messages.js";
import { f4, g2 } from "#pairing/toolbox.js";
import { ImpostorKeys, type Talk } from "./impostorKeys.js";

type Typed<T extends Message["type"]> = Message & { readonly type: T };

export interface ImpostorOptions {
  readonly crypto: Crypto;
  readonly random: RandomSource;
  readonly send: (bytes: Uint8Array) => void;
  readonly name?: string;
  readonly keyPair?: KeyPair;
  /** The identity it claims in the end. */
  readonly staticPublic?: Uint8Array;
}

export const NO_HINT: Uint8Array = new Uint8Array(0);

/** Step numbers of numeric comparison. */
export const SEQ = { hello: 0, start: 1, nonce: 2, check: 3, ident: 4 } as const;

export function x(publicKey: Uint8Array): Uint8Array {
  return publicKey.slice(1, 33);
}

export function freshPair(crypto: Crypto, random: RandomSource): KeyPair {
  const pair = crypto.p256KeyPair(random(32));
  return pair ?? freshPair(crypto, random);
}

/** Features as a device would send them, `extra` on top. */
export function features(name: string, extra: Iterable<readonly [number, CborValue]> = []): Uint8Array {
  return encodeCbor(
    new Map<number, CborValue>([
      [0, [1]],
      [1, 1],
      [2, 1],
      [3, name],
      [4, "test"],
      [5, "handfast"],
      [6, new Uint8Array(1)],
      [7, 0],
      ...extra,
    ]),
  );
}

/** What a cookie is bound to, before it is hashed. */
export function bodyOf(featureMap: Uint8Array, publicKey: Uint8Array): Uint8Array {
  return encodeCbor([featureMap, publicKey]);
}

/** The attacker as a client, towards the PC. With `nonce` it decides what to say when; without, it plays along. */
export class ImpostorInitiator {
  readonly pid: Uint8Array;
  readonly keyPair: KeyPair;
  publicKey: Uint8Array;
  featuresA: Uint8Array;
  readonly staticPublic: Uint8Array;
  offer: Typed<typeof TYPE.OFFER> | undefined;
  na: Uint8Array | undefined;
  nb: Uint8Array | undefined;
  digits: string | undefined;
  keys: ImpostorKeys | undefined;
  psk: Uint8Array | undefined;
  abort: number | undefined;
  /** Replaces the proof. */
  check: Uint8Array | undefined;
  /** Called with the OFFER; returns the nonce, or undefined to wait for `sendNonce`. */
  onOffer: () => Uint8Array | undefined;
  onReveal: () => void = () => this.sendCheck();
  onChecked: () => void = () => this.sendIdent();
  readonly #options: ImpostorOptions;
  readonly #transcript: Uint8Array[] = [];

  constructor(options: ImpostorOptions) {
    const { crypto, random } = options;
    this.#options = options;
    this.pid = random(8);
    this.keyPair = options.keyPair ?? freshPair(crypto, random);
    this.publicKey = this.keyPair.public;
    this.featuresA = features(options.name ?? "Ana's phone");
    this.staticPublic = options.staticPublic ?? crypto.x25519KeyPair(random(32)).public;
    this.onOffer = () => random(16);
  }

  hello(): void {
    const bodyHash = this.#options.crypto.sha256(bodyOf(this.featuresA, this.publicKey));
    this.#send({ type: TYPE.HELLO, pid: this.pid, seq: SEQ.hello, bodyHash, padding: new Uint8Array(40) });
  }

  receive(bytes: Uint8Array): void {
    const message = decodeMessage(bytes);
    if (message?.type === TYPE.RETRY) this.sendStart(message.cookie);
    else if (message?.type === TYPE.OFFER && !this.offer) this.#onOffer(message, bytes);
    else if (message?.type === TYPE.REVEAL && !this.nb) this.#onReveal(message.nonce, bytes);
    else if (message?.type === TYPE.CHECKED && !this.psk) this.onChecked();
    else if (message?.type === TYPE.IDENTIFIED) this.#onIdentified(message.sealed);
    else if (message?.type === TYPE.ABORT) this.abort = message.reason;
  }

  sendNonce(na: Uint8Array): void {
    this.na = na;
    this.#transcript.push(this.#send({ type: TYPE.NONCE, pid: this.pid, seq: SEQ.nonce, nonce: na }));
  }

  sendCheck(): void {
    const check = this.check ?? this.keys?.checkA;
    if (check) this.#send({ type: TYPE.CHECK, pid: this.pid, seq: SEQ.check, check });
  }

  sendIdent(): void {
    const who = { staticPublic: this.staticPublic, irk: new Uint8Array(16) };
    const sealed = this.keys?.seal("hf1 ir", who);
    if (sealed) this.#send({ type: TYPE.IDENT, pid: this.pid, seq: SEQ.ident, sealed });
  }

  sendStart(cookie: Uint8Array): void {
    const { publicKey } = this;
    const start: Message = {
      type: TYPE.START,
      pid: this.pid,
      seq: SEQ.start,
      cookie,
      features: this.featuresA,
      publicKey,
      hint: NO_HINT,
      padding: startPadding(this.featuresA, NO_HINT),
    };
    this.#transcript.push(this.#send(start));
  }

  #onOffer(offer: Typed<typeof TYPE.OFFER>, bytes: Uint8Array): void {
    this.offer = offer;
    this.#transcript.push(bytes.slice());
    const na = this.onOffer();
    if (na) this.sendNonce(na);
  }

  #onReveal(nb: Uint8Array, bytes: Uint8Array): void {
    const { offer, na } = this;
    if (!offer || !na) return;
    const { crypto } = this.#options;
    this.nb = nb;
    this.#transcript.push(bytes.slice());
    this.digits = g2(crypto, x(this.keyPair.public), x(offer.publicKey), na, nb);
    const talk: Talk = {
      pid: this.pid,
      featuresA: this.featuresA,
      featuresB: offer.features,
      na,
      nb,
      transcript: this.#transcript,
    };
    this.keys = new ImpostorKeys(crypto, this.keyPair, offer.publicKey, talk);
    this.onReveal();
  }

  #onIdentified(sealed: Uint8Array): void {
    const staticR = this.keys?.open("hf1 ri", sealed);
    if (staticR) this.psk = this.keys?.psk(this.staticPublic, staticR);
  }

  #send(message: Message): Uint8Array {
    const bytes = encodeMessage(message);
    this.#options.send(bytes);
    return bytes;
  }
}

/** The attacker as a PC, towards the client. */
export class ImpostorResponder {
  readonly keyPair: KeyPair;
  featuresB: Uint8Array;
  readonly staticPublic: Uint8Array;
  start: Typed<typeof TYPE.START> | undefined;
  na: Uint8Array | undefined;
  nb: Uint8Array | undefined;
  digits: string | undefined;
  keys: ImpostorKeys | undefined;
  psk: Uint8Array | undefined;
  abort: number | undefined;
  /** Called with START: returns the nonce to commit to, or undefined to wait for `sendOffer`. */
  onStart: () => Uint8Array | undefined;
  /** Replaces the proof. */
  check: Uint8Array | undefined;
  /** Called with the client's nonce: returns the nonce to reveal, or undefined to wait for `sendReveal`. */
  onNonce: () => Uint8Array | undefined;
  /** Replaces the public key, and the commitment. */
  publicKey: ((start: Typed<typeof TYPE.START>) => Uint8Array) | undefined;
  commitment: Uint8Array | undefined;
  readonly #options: ImpostorOptions;
  readonly #transcript: Uint8Array[] = [];
  #committed: Uint8Array | undefined;

  constructor(options: ImpostorOptions) {
    const { crypto, random } = options;
    this.#options = options;
    this.keyPair = options.keyPair ?? freshPair(crypto, random);
    this.featuresB = features(options.name ?? "Ana's PC", [
      [8, 1],
      [9, 1],
    ]);
    this.staticPublic = options.staticPublic ?? crypto.x25519KeyPair(random(32)).public;
    this.onStart = () => random(16);
    this.onNonce = () => this.#committed;
  }

  receive(bytes: Uint8Array): void {
    const message = decodeMessage(bytes);
    if (!message) return;
    if (message.type === TYPE.HELLO) this.#answer(message, { type: TYPE.RETRY, cookie: this.#options.random(16) });
    else if (message.type === TYPE.START && !this.start) this.#onStart(message, bytes);
    else if (message.type === TYPE.NONCE && !this.na) this.#onNonce(message.nonce, bytes);
    else if (message.type === TYPE.POLL) this.#answer(message, { type: TYPE.WAIT, user: 0, secondsLeft: 30 });
    else if (message.type === TYPE.CHECK && this.keys)
      this.#answer(message, { type: TYPE.CHECKED, check: this.check ?? this.keys.checkB });
    else if (message.type === TYPE.IDENT && this.keys) this.#onIdent(message, this.keys);
    else if (message.type === TYPE.ABORT) this.abort = message.reason;
  }

  sendOffer(nb: Uint8Array): void {
    const { start } = this;
    if (!start) return;
    const { crypto } = this.#options;
    this.#committed = nb;
    const publicKey = this.publicKey?.(start) ?? this.keyPair.public;
    const commitment = this.commitment ?? f4(crypto, x(publicKey), x(start.publicKey), nb, 0);
    const offer = this.#answer(start, { type: TYPE.OFFER, features: this.featuresB, publicKey, commitment });
    this.#transcript.push(offer);
  }

  sendReveal(nb: Uint8Array): void {
    const { start, na } = this;
    if (!start || !na) return;
    const { crypto } = this.#options;
    this.nb = nb;
    this.digits = g2(crypto, x(start.publicKey), x(this.keyPair.public), na, nb);
    const reveal = this.#answer({ pid: start.pid, seq: SEQ.nonce }, { type: TYPE.REVEAL, nonce: nb });
    this.#transcript.push(reveal);
    const talk: Talk = {
      pid: start.pid,
      featuresA: start.features,
      featuresB: this.featuresB,
      na,
      nb,
      transcript: this.#transcript,
    };
    this.keys = new ImpostorKeys(crypto, this.keyPair, start.publicKey, talk);
  }

  #onStart(start: Typed<typeof TYPE.START>, bytes: Uint8Array): void {
    this.start = start;
    this.#transcript.push(bytes.slice());
    const nb = this.onStart();
    if (nb) this.sendOffer(nb);
  }

  #onNonce(nonce: Uint8Array, bytes: Uint8Array): void {
    this.na = nonce;
    this.#transcript.push(bytes.slice());
    const nb = this.onNonce();
    if (nb) this.sendReveal(nb);
  }

  #onIdent(message: Message & { readonly sealed: Uint8Array }, keys: ImpostorKeys): void {
    const staticI = keys.open("hf1 ir", message.sealed);
    if (staticI) this.psk = keys.psk(staticI, this.staticPublic);
    const who = { staticPublic: this.staticPublic, irk: new Uint8Array(16) };
    this.#answer(message, { type: TYPE.IDENTIFIED, sealed: keys.seal("hf1 ri", who) });
  }

  #answer(
    to: { readonly pid: Uint8Array; readonly seq: number },
    body: Message extends infer M ? (M extends Message ? Omit<M, "pid" | "seq"> : never) : never,
  ): Uint8Array {
    const bytes = encodeMessage({ ...body, pid: to.pid, seq: to.seq } as Message);
    this.#options.send(bytes);
    return bytes;
  }
}

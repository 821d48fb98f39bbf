import { encodeMessage, type Message, startPadding, TYPE } from "#pairing/messages.js";
import { passkeyBit, passkeyBlock } from "#pairing/passkey.js";
import { f4 } from "#pairing/toolbox.js";
import { pairingMessage } from "./attacker.js";
import { ImpostorKeys } from "./impostorKeys.js";
import { bodyOf, features, freshPair, type ImpostorOptions, NO_HINT, SEQ, x } from "./impostors.js";

const ROUNDS = 20;
const CHECK_SEQ = 42;

/** What twenty rounds on the wire say to anybody who listened: the passkey, or undefined when they are not complete. */
export function passkeyFrom(
  crypto: ImpostorOptions["crypto"],
  keys: { readonly a: Uint8Array; readonly b: Uint8Array },
  rounds: readonly { readonly commitment: Uint8Array; readonly nonce: Uint8Array }[],
): number | undefined {
  let passkey = 0;
  for (const [i, { commitment, nonce }] of rounds.entries())
    for (const bit of [0, 1])
      if (f4(crypto, x(keys.a), x(keys.b), nonce, 0x80 | bit).every((byte, at) => byte === commitment[at]))
        passkey |= bit << i;
  return rounds.length === ROUNDS ? passkey : undefined;
}

/** The attacker as a client that types letters: right ones when it knows them. */
export class ImpostorTypist {
  readonly pid: Uint8Array;
  readonly #options: ImpostorOptions;
  readonly #passkey: number;
  readonly #keyPair: ReturnType<typeof freshPair>;
  readonly #features = features("Ana's phone", [
    [1, 2],
    [2, 2],
  ]);
  readonly #transcript: Uint8Array[] = [];
  readonly #staticPublic: Uint8Array;
  #offer: (Message & { readonly type: typeof TYPE.OFFER }) | undefined;
  #round = 0;
  #na: Uint8Array = new Uint8Array(16);
  #keys: ImpostorKeys | undefined;
  /** How many commitments the PC has answered. */
  committed = 0;
  psk: Uint8Array | undefined;
  abort: number | undefined;

  constructor(options: ImpostorOptions, passkey: number) {
    this.#options = options;
    this.#passkey = passkey;
    this.#keyPair = freshPair(options.crypto, options.random);
    this.#staticPublic = options.crypto.x25519KeyPair(options.random(32)).public;
    this.pid = options.random(8);
  }

  hello(): void {
    const bodyHash = this.#options.crypto.sha256(bodyOf(this.#features, this.#keyPair.public));
    this.#say({ type: TYPE.HELLO, pid: this.pid, seq: SEQ.hello, bodyHash, padding: new Uint8Array(40) });
  }

  receive(bytes: Uint8Array): void {
    const message = pairingMessage(bytes);
    if (message?.type === TYPE.RETRY) this.#start(message.cookie);
    else if (message?.type === TYPE.OFFER && !this.#offer) {
      this.#offer = message;
      this.#transcript.push(bytes.slice());
      this.#commit();
    } else if (message?.type === TYPE.COMMITTED) {
      this.committed++;
      this.#transcript.push(bytes.slice());
      this.#heard({ type: TYPE.NONCE, pid: this.pid, seq: 3 + 2 * this.#round, nonce: this.#na });
    } else if (message?.type === TYPE.REVEAL) this.#onReveal(message.nonce, bytes);
    else if (message?.type === TYPE.CHECKED && this.#keys) {
      const who = { staticPublic: this.#staticPublic, irk: new Uint8Array(16) };
      this.#say({ type: TYPE.IDENT, pid: this.pid, seq: CHECK_SEQ + 1, sealed: this.#keys.seal("hf1 ir", who) });
    } else if (message?.type === TYPE.IDENTIFIED) {
      const staticR = this.#keys?.open("hf1 ri", message.sealed);
      if (staticR) this.psk = this.#keys?.psk(this.#staticPublic, staticR);
    } else if (message?.type === TYPE.ABORT) this.abort = message.reason;
  }

  #start(cookie: Uint8Array): void {
    const head = { type: TYPE.START, pid: this.pid, seq: SEQ.start, cookie, hint: NO_HINT } as const;
    const padding = startPadding(this.#features, NO_HINT);
    this.#heard({ ...head, features: this.#features, publicKey: this.#keyPair.public, padding });
  }

  #commit(): void {
    const { crypto, random } = this.#options;
    this.#na = random(16);
    const [xA, xB] = [x(this.#keyPair.public), x(this.#offer?.publicKey ?? new Uint8Array(65))];
    const commitment = f4(crypto, xA, xB, this.#na, passkeyBit(this.#passkey, this.#round));
    this.#heard({ type: TYPE.COMMIT, pid: this.pid, seq: 2 + 2 * this.#round, commitment });
  }

  #onReveal(nb: Uint8Array, bytes: Uint8Array): void {
    this.#transcript.push(bytes.slice());
    this.#round++;
    if (this.#round < ROUNDS) return this.#commit();
    const offer = this.#offer;
    if (!offer) return;
    const r = passkeyBlock(this.#passkey);
    this.#keys = new ImpostorKeys(this.#options.crypto, this.#keyPair, offer.publicKey, {
      ...{ pid: this.pid, featuresA: this.#features, featuresB: offer.features, na: this.#na, nb },
      ...{ ra: r, rb: r, transcript: this.#transcript },
    });
    this.#say({ type: TYPE.CHECK, pid: this.pid, seq: CHECK_SEQ, check: this.#keys.checkA });
  }

  #heard(message: Message): void {
    this.#transcript.push(this.#say(message));
  }

  #say(message: Message): Uint8Array {
    const bytes = encodeMessage(message);
    this.#options.send(bytes);
    return bytes;
  }
}

/** The attacker as a PC that shows letters. Without a passkey it can only send back what it hears. */
export class ImpostorDisplay {
  readonly #options: ImpostorOptions;
  readonly #passkey: number | undefined;
  readonly #keyPair: ReturnType<typeof freshPair>;
  readonly #features = features("Ana's PC", [
    [1, 2],
    [8, 1],
    [9, 2],
  ]);
  readonly #transcript: Uint8Array[] = [];
  readonly #staticPublic: Uint8Array;
  #start: (Message & { readonly type: typeof TYPE.START }) | undefined;
  #nb: Uint8Array = new Uint8Array(16);
  #keys: ImpostorKeys | undefined;
  /** Replaces the key it offers. */
  publicKey: ((own: Uint8Array) => Uint8Array) | undefined;
  /** What the client has committed to and opened. */
  readonly rounds: { commitment: Uint8Array; nonce: Uint8Array }[] = [];
  /** CHECK came: the client believes that we know the letters. */
  checked = false;
  psk: Uint8Array | undefined;
  abort: number | undefined;

  constructor(options: ImpostorOptions, passkey?: number) {
    this.#options = options;
    this.#passkey = passkey;
    this.#keyPair = freshPair(options.crypto, options.random);
    this.#staticPublic = options.crypto.x25519KeyPair(options.random(32)).public;
  }

  get offeredKey(): Uint8Array {
    const own = this.#start?.publicKey ?? new Uint8Array(65);
    return this.publicKey?.(own) ?? this.#keyPair.public;
  }

  get clientKey(): Uint8Array {
    return this.#start?.publicKey ?? new Uint8Array(65);
  }

  receive(bytes: Uint8Array): void {
    const message = pairingMessage(bytes);
    if (!message) return;
    const { pid, seq } = message;
    if (message.type === TYPE.HELLO) this.#say({ type: TYPE.RETRY, pid, seq, cookie: this.#options.random(16) });
    else if (message.type === TYPE.START && !this.#start) {
      this.#start = message;
      this.#transcript.push(bytes.slice());
      const offer = { type: TYPE.OFFER, pid, seq, features: this.#features, publicKey: this.offeredKey } as const;
      this.#heard({ ...offer, commitment: new Uint8Array(0) });
    } else if (message.type === TYPE.POLL) this.#say({ type: TYPE.WAIT, pid, seq, user: 0, secondsLeft: 30 });
    else if (message.type === TYPE.COMMIT) this.#onCommit(message, bytes);
    else if (message.type === TYPE.NONCE) this.#onNonce(message, bytes);
    else if (message.type === TYPE.CHECK) {
      this.checked = true;
      if (this.#keys) this.#say({ type: TYPE.CHECKED, pid, seq, check: this.#keys.checkB });
    } else if (message.type === TYPE.IDENT && this.#keys) {
      const staticI = this.#keys.open("hf1 ir", message.sealed);
      if (staticI) this.psk = this.#keys.psk(staticI, this.#staticPublic);
      const who = { staticPublic: this.#staticPublic, irk: new Uint8Array(16) };
      this.#say({ type: TYPE.IDENTIFIED, pid, seq, sealed: this.#keys.seal("hf1 ri", who) });
    } else if (message.type === TYPE.ABORT) this.abort = message.reason;
  }

  #onCommit({ pid, seq, commitment }: Message & { readonly commitment: Uint8Array }, bytes: Uint8Array): void {
    if (this.rounds.length * 2 + 2 !== seq) return;
    this.#transcript.push(bytes.slice());
    this.rounds.push({ commitment, nonce: new Uint8Array(16) });
    this.#nb = this.#options.random(16);
    const bit = this.#passkey === undefined ? 0 : passkeyBit(this.#passkey, this.rounds.length - 1);
    const own = f4(this.#options.crypto, x(this.offeredKey), x(this.clientKey), this.#nb, bit);
    this.#heard({ type: TYPE.COMMITTED, pid, seq, commitment: this.#passkey === undefined ? commitment : own });
  }

  #onNonce({ pid, seq, nonce }: Message & { readonly nonce: Uint8Array }, bytes: Uint8Array): void {
    const round = this.rounds.at(-1);
    if (!round || this.rounds.length * 2 + 1 !== seq) return;
    this.#transcript.push(bytes.slice());
    round.nonce = nonce;
    const nb = this.#passkey === undefined ? nonce : this.#nb;
    this.#heard({ type: TYPE.REVEAL, pid, seq, nonce: nb });
    const start = this.#start;
    if (this.#passkey === undefined || this.rounds.length < ROUNDS || !start) return;
    const r = passkeyBlock(this.#passkey);
    this.#keys = new ImpostorKeys(this.#options.crypto, this.#keyPair, start.publicKey, {
      ...{ pid, featuresA: start.features, featuresB: this.#features, na: nonce, nb },
      ...{ ra: r, rb: r, transcript: this.#transcript },
    });
  }

  #heard(message: Message): void {
    this.#transcript.push(this.#say(message));
  }

  #say(message: Message): Uint8Array {
    const bytes = encodeMessage(message);
    this.#options.send(bytes);
    return bytes;
  }
}

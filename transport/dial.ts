import type { Crypto, KeyPair } from "#crypto/crypto.js";
import { concat, equalConstantTime } from "#kernel/bytes.js";
import { HandfastError } from "#kernel/errors.js";
import type { Address, Instant, OutgoingDatagram, RandomSource } from "#kernel/ports.js";
import {
  CID,
  INIT_NOISE,
  initHeader,
  initPrologue,
  mac1Of,
  openCookie,
  parseResponse,
  sealInit,
  VERSION,
  versionsOffered,
  withCookie,
} from "./handshakePackets.js";
import { INIT_HEAD, NOISE_TAG, NoiseInitiator } from "./noise.js";
import type { NoiseResult } from "./noiseState.js";
import { decodeParameters, encodeParameters, limitsOf, type TransportParameters } from "./params.js";

const RETRY_MS = [250, 500, 1000, 2000] as const;
const JITTER = 0.1;
const GIVE_UP_MS = 10_000;
const ZERO_PSK = new Uint8Array(32);

/** Nobody answered at any of the addresses. */
export class NotReachableError extends HandfastError {
  override readonly name = "NotReachableError";
  constructor() {
    super(
      "NOT_REACHABLE",
      "The other device does not answer. Check that it is on, on the same network, running `handfast share`, and that no firewall blocks UDP; or name its address with --peer.",
    );
  }
}

/** The right device answered, and proved it, but no longer knows us. */
export class PeerForgotUsError extends HandfastError {
  override readonly name = "PeerForgotUsError";
  constructor() {
    super("PEER_FORGOT_US", "The other device has forgotten this one. Forget it here too, then pair the two again.");
  }
}

export interface DialOptions {
  readonly crypto: Crypto;
  readonly random: RandomSource;
  readonly own: KeyPair;
  /** Of this dial alone; made here unless it was made ahead. */
  readonly ephemeral?: KeyPair | undefined;
  readonly peerStatic: Uint8Array;
  readonly psk: Uint8Array;
  /** Other bond secrets to try, best first, after `psk`. */
  readonly older?: readonly Uint8Array[] | undefined;
  /** Secrets that open only the answer "your bond is a copy". */
  readonly lineages?: readonly Uint8Array[] | undefined;
  /** Names the secrets to the server. */
  readonly hints?: readonly Uint8Array[] | undefined;
  readonly to: readonly Address[];
  readonly scid: Uint8Array;
  readonly parameters: TransportParameters;
  readonly now: Instant;
  readonly timeoutMs?: number | undefined;
}

/** What a dial ends with. */
export type DialResult =
  | { readonly error: HandfastError }
  | {
      readonly error: undefined;
      /** The secret that the server used. */
      readonly psk: Uint8Array;
      /** It is one of `lineages`: this handshake must not become a session. */
      readonly copied: boolean;
      readonly noise: NoiseResult;
      readonly peer: TransportParameters;
      readonly remoteCid: Uint8Array;
      readonly path: Address;
      readonly rttMs: number | undefined;
    };

/** The client's side of the handshake: one Init, the same bytes again and again to every address, until one Response fits. */
export class Dial {
  readonly scid: Uint8Array;
  readonly #options: DialOptions;
  readonly #noise: NoiseInitiator;
  readonly #mac1: Uint8Array;
  readonly #giveUpAt: Instant;
  #init: Uint8Array;
  #sends = 0;
  #cookied = false;
  #nextSendAt: Instant;
  #sentAt: Instant = 0;
  #queue: OutgoingDatagram[] = [];

  constructor(options: DialOptions) {
    const { crypto, random, own, peerStatic } = options;
    this.#options = options;
    this.scid = options.scid;
    const header = initHeader(options.scid, random);
    const ephemeral = options.ephemeral ?? crypto.x25519KeyPair(random(32));
    this.#noise = new NoiseInitiator({ crypto, prologue: initPrologue(header), own, ephemeral, peerStatic });
    const told = limitsOf(options.parameters);
    told.versions = options.parameters.versions ?? versionsOffered(random);
    if (options.hints) told.bondHints = options.hints;
    const parameters = encodeParameters(told, random);
    const message = this.#noise.writeInit(padded(parameters, INIT_NOISE - INIT_HEAD - NOISE_TAG));
    // A bond never holds a low-order key: pairing refuses it.
    if (!message) throw new RangeError("dial: the peer's static key is a low-order point");
    this.#init = sealInit(crypto, peerStatic, header, message);
    this.#mac1 = mac1Of(this.#init);
    this.#nextSendAt = options.now;
    this.#giveUpAt = options.now + (options.timeoutMs ?? GIVE_UP_MS);
  }

  /** What the other end was promised. */
  get parameters(): TransportParameters {
    return this.#options.parameters;
  }

  /** When it began. */
  get since(): Instant {
    return this.#options.now;
  }

  get deadline(): Instant {
    return Math.min(this.#nextSendAt, this.#giveUpAt);
  }

  nextDatagram(now: Instant): OutgoingDatagram | undefined {
    if (now >= this.#nextSendAt && now < this.#giveUpAt) {
      const wait = RETRY_MS[Math.min(this.#sends, RETRY_MS.length - 1)] ?? 2000;
      const jitter = 1 + JITTER * (((this.#options.random(1)[0] ?? 0) / 255) * 2 - 1);
      this.#nextSendAt = now + wait * jitter;
      this.#sends++;
      this.#sentAt = now;
      for (const to of this.#options.to) this.#queue.push({ bytes: this.#init, to });
    }
    return this.#queue.shift();
  }

  /** The end by time, if it has come. */
  tick(now: Instant): DialResult | undefined {
    return now >= this.#giveUpAt ? { error: new NotReachableError() } : undefined;
  }

  /** A Response or Cookie whose DCID is ours. Undefined for what does not fit: anybody can send it. */
  receive(datagram: Uint8Array, from: Address, now: Instant): DialResult | "cookie" | undefined {
    const { crypto, peerStatic } = this.#options;
    const cookie = openCookie(crypto, peerStatic, this.#mac1, datagram);
    if (cookie) {
      this.#init = withCookie(crypto, this.#init, cookie);
      // Only the first one hurries: a path that changes our port would turn cookies into a storm of Inits.
      if (!this.#cookied) this.#nextSendAt = now;
      this.#cookied = true;
      return "cookie";
    }
    const response = parseResponse(datagram);
    if (!response) return undefined;
    return this.#open(response.noise, response.scid, from, now);
  }

  #open(message: Uint8Array, remoteCid: Uint8Array, from: Address, now: Instant): DialResult | undefined {
    const { psk, older = [], lineages = [] } = this.#options;
    const read = this.#noise.readResponse(message, psk, ...older, ...lineages, ZERO_PSK);
    if (!read) return undefined;
    const peer = readParameters(read.payload);
    // PROTOCOL.md §2: only the real server can make this answer, and it opens no session.
    if (read.psk === ZERO_PSK) return peer?.unknownDevice ? { error: new PeerForgotUsError() } : undefined;
    const copied = lineages.includes(read.psk);
    if (copied !== (peer?.bondCopied === true)) return undefined;
    // RFC 9000 §7.3: the header's connection IDs, said again under encryption.
    if (!peer?.handshakeDcid || !equalConstantTime(peer.handshakeDcid, this.scid)) return undefined;
    if (!peer.handshakeScid || !equalConstantTime(peer.handshakeScid, remoteCid)) return undefined;
    if (!peer.versions?.includes(VERSION)) return undefined;
    // Karn's rule: after a retransmission nobody knows which copy was answered.
    const rttMs = this.#sends === 1 ? now - this.#sentAt : undefined;
    return { error: undefined, psk: read.psk, copied, noise: read.result, peer, remoteCid, path: from, rttMs };
  }
}

/** Parameters of an authentic payload, or undefined when they are not usable. */
export function readParameters(payload: Uint8Array): TransportParameters | undefined {
  try {
    return decodeParameters(payload);
  } catch {
    return undefined;
  }
}

/** PADDING up to `length` bytes. */
export function padded(bytes: Uint8Array, length: number): Uint8Array {
  return concat(bytes, new Uint8Array(length - bytes.length));
}

export function drawCid(random: RandomSource): Uint8Array {
  return random(CID);
}

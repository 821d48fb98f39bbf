import type { Crypto, KeyPair } from "#crypto/crypto.js";
import { toHex } from "#kernel/bytes.js";
import type { Address, Instant, RandomSource } from "#kernel/ports.js";
import { CookieJar } from "./cookieJar.js";
import { padded, readParameters } from "./dial.js";
import {
  buildResponse,
  hasCookie,
  hasMac2,
  type Init,
  initPrologue,
  openInit,
  RESPONSE_NOISE,
  sealCookie,
  VERSION,
  versionsOffered,
} from "./handshakePackets.js";
import { INIT_HEAD, NOISE_TAG, NoiseResponder, RESPONSE_HEAD } from "./noise.js";
import type { NoiseResult } from "./noiseState.js";
import {
  encodeParameters,
  limitsOf,
  type MutableParameters,
  NO_PARAMETERS,
  type TransportParameters,
} from "./params.js";
import { resetToken } from "./statelessReset.js";
import { sourceKey, TokenBuckets } from "./tokenBuckets.js";

const CACHE_MS = 10_000;
const CACHE_SIZE = 1024;
/** Under load, that is with so many half-open connections or handshakes a second, only proved addresses are answered. */
const HALF_OPEN_LOAD = 32;
const HANDSHAKE_LOAD = 50;
const ZERO_PSK = new Uint8Array(32);

/** A bond as the transport sees it. */
export interface KnownPeer {
  readonly id: string;
  readonly psk: Uint8Array;
  /** Instead of `psk`: the secret for these hints of the initiator. `copied`: it must not become a session. */
  readonly choose?: (hints: readonly Uint8Array[]) => { readonly psk: Uint8Array; readonly copied: boolean };
}

/** "forgotten": known once, revoked since. */
export type Lookup = (staticPublic: Uint8Array) => KnownPeer | "forgotten" | undefined;

/** Why an Init was not answered with a new Response. */
export interface InitDrops {
  mac1: number;
  rate: number;
  stranger: number;
  malformed: number;
  cookie: number;
  duplicate: number;
}

/** A handshake that the client has begun and we have answered. */
export interface Accepted {
  readonly peerId: string;
  readonly peerStatic: Uint8Array;
  readonly psk: Uint8Array;
  /** The initiator's secrets are not the newest: its first packet is an alarm, not a session. */
  readonly copied: boolean;
  readonly noise: NoiseResult;
  readonly local: TransportParameters;
  readonly peer: TransportParameters;
  readonly remoteCid: Uint8Array;
  readonly localCid: Uint8Array;
}

export interface AcceptorOptions {
  readonly crypto: Crypto;
  readonly random: RandomSource;
  readonly own: KeyPair;
  readonly lookup: Lookup;
  /** What the next connection is promised. */
  readonly parameters: () => TransportParameters;
  readonly resetKey: Uint8Array;
  /** A key pair for one answer; made here unless there are some that were made ahead. */
  readonly newEphemeral?: () => KeyPair;
  /** A connection ID that is not in use. */
  readonly newCid: () => Uint8Array;
  readonly halfOpen: () => number;
  readonly now: Instant;
}

/** The server's side of the handshake: cheap checks first, one answer for each Init, no state that an Init alone could change. */
export class Acceptor {
  readonly drops: InitDrops = { mac1: 0, rate: 0, stranger: 0, malformed: 0, cookie: 0, duplicate: 0 };
  /** Inits answered with a connection. */
  accepted = 0;
  readonly #options: AcceptorOptions;
  readonly #cookies: CookieJar;
  readonly #sources = new TokenBuckets(20, 5);
  readonly #bonds = new TokenBuckets(1, 3);
  readonly #handshakes = new TokenBuckets(HANDSHAKE_LOAD, HANDSHAKE_LOAD);
  /** The same limits for addresses that have proved themselves: a recorded Init that is played back never gets here. */
  readonly #provedSources = new TokenBuckets(20, 5);
  readonly #provedBonds = new TokenBuckets(1, 3);
  /** Responses by the mac1 of their Init, which covers every byte before it. */
  readonly #answered = new Map<string, { readonly response: Uint8Array; readonly at: Instant }>();

  constructor(options: AcceptorOptions) {
    this.#options = options;
    this.#cookies = new CookieJar(options.crypto, options.random, options.now);
  }

  /** What to send back, if anything, and the connection that may begin. Checks in the order of their cost. */
  receive(datagram: Uint8Array, from: Address, now: Instant): { reply?: Uint8Array; accepted?: Accepted } {
    const { crypto, own } = this.#options;
    const init = openInit(crypto, own.public, datagram);
    if (!init) return this.#drop("mac1");
    const cached = this.#cached(init, now);
    if (cached) {
      this.drops.duplicate++;
      return { reply: cached };
    }
    const proved = hasMac2(datagram) && this.#proved(datagram, from, now);
    const loaded = this.#options.halfOpen() > HALF_OPEN_LOAD || !this.#handshakes.has("all", now);
    const sources = proved ? this.#provedSources : this.#sources;
    // Who is over a limit may be a copy of somebody else's Init from a forged address: he is asked for a cookie, not locked out.
    if ((loaded && !proved) || !sources.take(sourceKey(from.host), now))
      return proved ? this.#drop("rate") : this.#demandCookie(init, from, now);
    this.#handshakes.take("all", now);
    return this.#accept(init, from, proved, now);
  }

  #demandCookie(init: Init, from: Address, now: Instant): { reply: Uint8Array } {
    const { crypto, own, random } = this.#options;
    this.drops.cookie++;
    return { reply: sealCookie(crypto, own.public, init, this.#cookies.current(from, now), random) };
  }

  #accept(init: Init, from: Address, proved: boolean, now: Instant): { reply?: Uint8Array; accepted?: Accepted } {
    const { crypto, own, lookup } = this.#options;
    const noise = new NoiseResponder({ crypto, prologue: initPrologue(init.header), own });
    const claimed = noise.readStatic(init.noise.subarray(0, INIT_HEAD));
    const found = claimed && lookup(claimed);
    if (!claimed || !found) return this.#drop("stranger");
    const bond = toHex(claimed);
    // By address as well: another bonded device can play back this one's Init, but only from where it is.
    const within = proved
      ? this.#provedBonds.take(`${bond} ${sourceKey(from.host)}`, now)
      : this.#bonds.take(bond, now);
    if (!within) return proved ? this.#drop("rate") : this.#demandCookie(init, from, now);
    const payload = noise.readPayload(init.noise.subarray(INIT_HEAD));
    const peer = payload && readParameters(payload);
    if (!peer?.versions?.includes(VERSION)) return this.#drop("malformed");
    return found === "forgotten"
      ? this.#refuse(noise, init, now)
      : this.#respond(noise, init, claimed, found, peer, now);
  }

  #respond(
    noise: NoiseResponder,
    init: Init,
    peerStatic: Uint8Array,
    bond: KnownPeer,
    peer: TransportParameters,
    now: Instant,
  ): { reply?: Uint8Array; accepted?: Accepted } {
    const { crypto, random, resetKey, newCid } = this.#options;
    const parameters = this.#options.parameters();
    const localCid = newCid();
    const told = limitsOf(parameters);
    told.versions = parameters.versions ?? versionsOffered(random);
    told.resetToken = resetToken(crypto, resetKey, localCid);
    const { psk, copied } = bond.choose?.(peer.bondHints ?? []) ?? { psk: bond.psk, copied: false };
    if (copied) told.bondCopied = true;
    const answer = this.#write(noise, init, localCid, told, psk);
    if (!answer) return this.#drop("malformed");
    this.#remember(init, answer.reply, now);
    this.accepted++;
    const { reply, result } = answer;
    const accepted = {
      peerId: bond.id,
      peerStatic,
      psk,
      copied,
      noise: result,
      local: parameters,
      peer,
      remoteCid: init.scid,
      localCid,
    };
    return { reply, accepted };
  }

  /** The peer proved its key, but its bond is gone: say only that, under keys that open nothing. PROTOCOL.md §2. */
  #refuse(noise: NoiseResponder, init: Init, now: Instant): { reply?: Uint8Array } {
    const told = limitsOf(NO_PARAMETERS);
    told.versions = versionsOffered(this.#options.random);
    told.unknownDevice = true;
    const answer = this.#write(noise, init, this.#options.newCid(), told, ZERO_PSK);
    if (!answer) return this.#drop("malformed");
    this.#remember(init, answer.reply, now);
    return { reply: answer.reply };
  }

  #write(
    noise: NoiseResponder,
    init: Init,
    scid: Uint8Array,
    told: MutableParameters,
    psk: Uint8Array,
  ): { reply: Uint8Array; result: NoiseResult } | undefined {
    const { crypto, random, newEphemeral } = this.#options;
    told.handshakeDcid = init.scid;
    told.handshakeScid = scid;
    const payload = encodeParameters(told, random);
    const room = RESPONSE_NOISE - RESPONSE_HEAD - NOISE_TAG;
    const ephemeral = newEphemeral?.() ?? crypto.x25519KeyPair(random(32));
    const answer = noise.writeResponse(padded(payload, room), ephemeral, psk);
    if (!answer) return undefined;
    return { reply: buildResponse({ dcid: init.scid, scid, noise: answer.message, random }), result: answer.result };
  }

  #proved(datagram: Uint8Array, from: Address, now: Instant): boolean {
    return this.#cookies.valid(from, now).some((cookie) => hasCookie(this.#options.crypto, cookie, datagram));
  }

  #cached(init: Init, now: Instant): Uint8Array | undefined {
    const known = this.#answered.get(toHex(init.mac1));
    return known && now - known.at < CACHE_MS ? known.response : undefined;
  }

  #remember(init: Init, response: Uint8Array, now: Instant): void {
    for (const [key, entry] of this.#answered) {
      if (this.#answered.size < CACHE_SIZE && now - entry.at < CACHE_MS) break;
      this.#answered.delete(key);
    }
    this.#answered.set(toHex(init.mac1), { response, at: now });
  }

  #drop(reason: keyof InitDrops): Record<string, never> {
    this.drops[reason]++;
    return {};
  }
}

import type { Crypto, KeyPair } from "#crypto/crypto.js";
import { hkdf, hkdfExpand, hkdfExtract } from "#crypto/hkdf.js";
import { concat, equalConstantTime, fromHex, utf8 } from "#kernel/bytes.js";
import { type CborValue, decodeCbor, encodeCbor } from "#kernel/cbor.js";
import { unlessMalformed } from "#kernel/errors.js";
import type { Address, RandomSource } from "#kernel/ports.js";
import { f5, f6 } from "./toolbox.js";

/** Core Spec Vol 3 Part H §2.3.5.6.1: whoever uses this key gives everything away. x coordinate. */
const DEBUG_KEY_X = fromHex("20b003d2f297be2c5e2c83a7e9f9a5b9eff49111acf4fddbcc0301480e359de6");
const NONCE = new Uint8Array(12);

/** Who we are, as pairing tells it. */
export interface PairingIdentity {
  /** X25519, 32 bytes. */
  readonly staticPublic: Uint8Array;
  /** 16 bytes. */
  readonly irk: Uint8Array;
  readonly name: string;
  readonly platform: string;
  readonly appId: string;
  /** What this device can do with a bond, as bits (PROTOCOL.md §2); the peer gets it with the transcript's proof. Default 0. */
  readonly upgrades?: number;
}

/** What pairing leaves behind: the material of a bond. */
export interface PairedPeer {
  readonly staticPublic: Uint8Array;
  readonly irk: Uint8Array;
  readonly name: string;
  readonly platform: string;
  /** The bond secret, 32 bytes. */
  readonly psk: Uint8Array;
  /** 16 bytes, the same on both sides. */
  readonly bondId: Uint8Array;
  /** What both can do with the bond, as bits. */
  readonly upgrades: number;
  readonly address: Address;
}

/** A fresh P-256 pair for one attempt. */
export function freshKeyPair(crypto: Crypto, random: RandomSource): KeyPair {
  for (;;) {
    const pair = crypto.p256KeyPair(random(32));
    if (pair) return pair;
  }
}

export function xOf(publicKey: Uint8Array): Uint8Array {
  return publicKey.subarray(1, 33);
}

/** CVE-2018-5383, CVE-2020-26558: on the curve, in the one form, not the debug key, not our own x (so not -P either). */
export function isAcceptableKey(crypto: Crypto, peer: Uint8Array, own: Uint8Array | undefined): boolean {
  if (!crypto.p256IsValidPoint(peer) || equalConstantTime(xOf(peer), DEBUG_KEY_X)) return false;
  return own === undefined || !equalConstantTime(xOf(peer), xOf(own));
}

/** Everything both sides have said up to the nonces. */
export interface Conversation {
  readonly pid: Uint8Array;
  readonly featuresA: Uint8Array;
  readonly featuresB: Uint8Array;
  /** The nonces of the last round. */
  readonly na: Uint8Array;
  readonly nb: Uint8Array;
  /** f6's R and IOcap of each side, PROTOCOL.md §4. */
  readonly ra: Uint8Array;
  readonly rb: Uint8Array;
  readonly ioCapA: Uint8Array;
  readonly ioCapB: Uint8Array;
  /** What is known from elsewhere comes first; empty without. */
  readonly prefix: Uint8Array;
  /** START, OFFER, then everything up to the last REVEAL: the exact datagrams. */
  readonly transcript: readonly Uint8Array[];
}

/** Keys of one pairing: PROTOCOL.md §4. They exist only from the DHKey on, and die with the attempt. */
export interface PairingKeys {
  /** What the initiator, and what the responder, must show to prove the DHKey: Ea, Eb. */
  readonly checkA: Uint8Array;
  readonly checkB: Uint8Array;
  readonly transcriptHash: Uint8Array;
  readonly master: Uint8Array;
}

export function deriveKeys(crypto: Crypto, dhKey: Uint8Array, talk: Conversation): PairingKeys {
  const a = addressOf(crypto, "hf1 addr I", talk.featuresA, talk.pid);
  const b = addressOf(crypto, "hf1 addr R", talk.featuresB, talk.pid);
  const { macKey, ltk } = f5(crypto, { w: dhKey, n1: talk.na, n2: talk.nb, a1: a, a2: b });
  const transcriptHash = crypto.sha256(
    utf8("handfast/1 pair"),
    talk.prefix,
    ...talk.transcript.flatMap((bytes) => [u16(bytes.length), bytes]),
  );
  return {
    checkA: f6(crypto, { w: macKey, n1: talk.na, n2: talk.nb, r: talk.rb, ioCap: talk.ioCapA, a1: a, a2: b }),
    checkB: f6(crypto, { w: macKey, n1: talk.nb, n2: talk.na, r: talk.ra, ioCap: talk.ioCapB, a1: b, a2: a }),
    transcriptHash,
    master: hkdfExtract(crypto, transcriptHash, concat(dhKey, ltk)),
  };
}

/** What each side tells about itself under the pairing's keys. */
export interface Identification {
  readonly staticPublic: Uint8Array;
  readonly irk: Uint8Array;
}

type Direction = "hf1 ir" | "hf1 ri";

export function sealIdentity(crypto: Crypto, keys: PairingKeys, direction: Direction, own: Identification): Uint8Array {
  const map = new Map<number, CborValue>([
    [0, own.staticPublic],
    [1, own.irk],
  ]);
  const plaintext = encodeCbor(map);
  const out = new Uint8Array(plaintext.length + 16);
  // Each key seals exactly one message, so the nonce is zero.
  crypto.aead(identityKey(crypto, keys, direction)).seal(NONCE, keys.transcriptHash, plaintext, out, 0);
  return out;
}

/** Undefined when it is not authentic. Throws WireError. */
export function openIdentity(
  crypto: Crypto,
  keys: PairingKeys,
  direction: Direction,
  sealed: Uint8Array,
): Identification | undefined {
  const plaintext = crypto.aead(identityKey(crypto, keys, direction)).open(NONCE, keys.transcriptHash, sealed);
  const map = plaintext && unlessMalformed(() => decodeCbor(plaintext));
  if (!(map instanceof Map) || map.size !== 2) return undefined;
  const [staticPublic, irk] = [map.get(0), map.get(1)];
  if (!(staticPublic instanceof Uint8Array) || staticPublic.length !== 32) return undefined;
  if (!(irk instanceof Uint8Array) || irk.length !== 16) return undefined;
  return { staticPublic, irk };
}

/** A low-order point would make every later handshake predictable. It shows with any scalar, so the one here is no secret. */
export function isUsableStatic(crypto: Crypto, peer: Uint8Array, own: Uint8Array): boolean {
  const probe = probes.get(crypto) ?? crypto.x25519KeyPair(new Uint8Array(32).fill(1));
  probes.set(crypto, probe);
  return !equalConstantTime(peer, own) && crypto.x25519(probe, peer) !== undefined;
}

/** Making a key costs more than using it. */
const probes = new WeakMap<Crypto, KeyPair>();

export function bondSecret(crypto: Crypto, keys: PairingKeys, staticI: Uint8Array, staticR: Uint8Array): Uint8Array {
  const info = utf8("hf1 bond psk");
  return hkdf(crypto, { salt: keys.master, inputKey: concat(staticI, staticR), info, length: 32 });
}

export function bondIdOf(crypto: Crypto, keys: PairingKeys): Uint8Array {
  return hkdfExpand(crypto, keys.master, utf8("hf1 bond id"), 16);
}

export function wipe(keys: PairingKeys): void {
  for (const secret of [keys.checkA, keys.checkB, keys.master]) secret.fill(0);
}

function identityKey(crypto: Crypto, keys: PairingKeys, direction: Direction): Uint8Array {
  return hkdfExpand(crypto, keys.master, utf8(direction), 32);
}

/** Seven bytes where the specification has a device address: they bind what a side said about itself. */
function addressOf(crypto: Crypto, label: string, features: Uint8Array, pid: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(0x48), crypto.sha256(utf8(label), features, pid).subarray(0, 6));
}

function u16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value);
}

import type { Crypto } from "#crypto/crypto.js";
import { concat, equalConstantTime, isAllZero, utf8 } from "#kernel/bytes.js";
import type { RandomSource } from "#kernel/ports.js";
import { ByteReader } from "#kernel/varint.js";

/** PROTOCOL.md §1. */
export const VERSION = 0x48460001;
export const CID = 8;
/** Every Init has exactly this size, and no Response is larger: the answer never amplifies. */
export const HANDSHAKE_SIZE = 1200;
const MAC = 16;
const TYPE = { init: 0, response: 1, cookie: 2, versions: 3 } as const;
const INIT_HEADER = 1 + 4 + CID;
const RESPONSE_HEADER = 1 + 4 + CID + CID;
const COOKIE_NONCE = 24;
const COOKIE_SIZE = 1 + 4 + CID + COOKIE_NONCE + 16 + 16;

/** Bytes of noise message 1 in an Init, of message 2 in a Response. */
export const INIT_NOISE: number = HANDSHAKE_SIZE - INIT_HEADER - 2 * MAC;
export const RESPONSE_NOISE: number = HANDSHAKE_SIZE - RESPONSE_HEADER;
const PROLOGUE = utf8("handfast/1");
const MAC1_LABEL = utf8("hf mac1");
const COOKIE_LABEL = utf8("hf cookie");

export interface Init {
  readonly header: Uint8Array;
  readonly scid: Uint8Array;
  readonly noise: Uint8Array;
  readonly mac1: Uint8Array;
}

export interface Response {
  readonly dcid: Uint8Array;
  readonly scid: Uint8Array;
  readonly noise: Uint8Array;
}

/**
 * What we speak, best first, and before or after it one that nobody ever will (RFC 9000 §15: 0x?a?a?a?a), so that nobody
 * learns to refuse what it does not know.
 */
export function versionsOffered(random: RandomSource): readonly number[] {
  const [place = 0, ...bytes] = random(5);
  const reserved = bytes.reduce((version, byte) => version * 256 + ((byte & 0xf0) | 0x0a), 0);
  return place & 1 ? [reserved, VERSION] : [VERSION, reserved];
}

/** 0 Init, 1 Response, 2 Cookie, 3 Versions. The caller has checked that the top bits are 11. */
export function handshakeType(datagram: Uint8Array): number {
  return ((datagram[0] ?? 0) >> 4) & 3;
}

export function initHeader(scid: Uint8Array, random: RandomSource): Uint8Array {
  return concat(firstByte(TYPE.init, random), u32(VERSION), scid);
}

/** Mixed into the handshake by both ends, so that an edited header is noticed. */
export function initPrologue(header: Uint8Array): Uint8Array {
  return concat(PROLOGUE, header);
}

/** The whole Init, mac2 still zero. */
export function sealInit(crypto: Crypto, serverStatic: Uint8Array, header: Uint8Array, noise: Uint8Array): Uint8Array {
  const body = concat(header, noise);
  return concat(body, mac1(crypto, serverStatic, body), new Uint8Array(MAC));
}

/** A copy of `init` that carries the cookie the server asked for. */
export function withCookie(crypto: Crypto, init: Uint8Array, cookie: Uint8Array): Uint8Array {
  const body = init.subarray(0, init.length - MAC);
  return concat(body, mac2(crypto, cookie, body));
}

/** Undefined unless the size, the version and mac1 are right: everybody else is met with silence. */
export function openInit(crypto: Crypto, ownStatic: Uint8Array, datagram: Uint8Array): Init | undefined {
  if (datagram.length !== HANDSHAKE_SIZE || new ByteReader(datagram, 1).u32() !== VERSION) return undefined;
  const end = HANDSHAKE_SIZE - 2 * MAC;
  const mac = datagram.slice(end, end + MAC);
  if (!equalConstantTime(mac, mac1(crypto, ownStatic, datagram.subarray(0, end)))) return undefined;
  return {
    header: datagram.slice(0, INIT_HEADER),
    scid: datagram.slice(INIT_HEADER - CID, INIT_HEADER),
    noise: datagram.subarray(INIT_HEADER, end),
    mac1: mac,
  };
}

/** False for zeros: a client that was not asked for a cookie. */
export function hasMac2(datagram: Uint8Array): boolean {
  return !isAllZero(datagram.subarray(datagram.length - MAC));
}

export function hasCookie(crypto: Crypto, cookie: Uint8Array, datagram: Uint8Array): boolean {
  const end = datagram.length - MAC;
  return equalConstantTime(datagram.subarray(end), mac2(crypto, cookie, datagram.subarray(0, end)));
}

export function buildResponse(input: {
  readonly dcid: Uint8Array;
  readonly scid: Uint8Array;
  readonly noise: Uint8Array;
  readonly random: RandomSource;
}): Uint8Array {
  return concat(firstByte(TYPE.response, input.random), u32(VERSION), input.dcid, input.scid, input.noise);
}

export function parseResponse(datagram: Uint8Array): Response | undefined {
  if (handshakeType(datagram) !== TYPE.response || datagram.length > HANDSHAKE_SIZE) return undefined;
  if (datagram.length < RESPONSE_HEADER || new ByteReader(datagram, 1).u32() !== VERSION) return undefined;
  return {
    dcid: datagram.slice(5, 5 + CID),
    scid: datagram.slice(5 + CID, RESPONSE_HEADER),
    noise: datagram.subarray(RESPONSE_HEADER),
  };
}

/** The answer under load: only who receives it at its address, and sent the Init with `init.mac1`, can use it. */
export function sealCookie(
  crypto: Crypto,
  ownStatic: Uint8Array,
  init: Init,
  cookie: Uint8Array,
  random: RandomSource,
): Uint8Array {
  const nonce = random(COOKIE_NONCE);
  const sealed = crypto.xchachaSeal(cookieKey(crypto, ownStatic), nonce, init.mac1, cookie);
  return concat(firstByte(TYPE.cookie, random), u32(VERSION), init.scid, nonce, sealed);
}

export function openCookie(
  crypto: Crypto,
  serverStatic: Uint8Array,
  ownMac1: Uint8Array,
  datagram: Uint8Array,
): Uint8Array | undefined {
  if (datagram.length !== COOKIE_SIZE || handshakeType(datagram) !== TYPE.cookie) return undefined;
  const nonce = datagram.subarray(5 + CID, 5 + CID + COOKIE_NONCE);
  return crypto.xchachaOpen(cookieKey(crypto, serverStatic), nonce, ownMac1, datagram.subarray(5 + CID + COOKIE_NONCE));
}

/** The DCID of a Response or a Cookie: the SCID of the Init it answers. */
export function answeredScid(datagram: Uint8Array): Uint8Array {
  return datagram.subarray(5, 5 + CID);
}

export function mac1Of(init: Uint8Array): Uint8Array {
  return init.slice(init.length - 2 * MAC, init.length - MAC);
}

function mac1(crypto: Crypto, serverStatic: Uint8Array, body: Uint8Array): Uint8Array {
  return crypto.hmacSha256(crypto.sha256(MAC1_LABEL, serverStatic), body).slice(0, MAC);
}

function mac2(crypto: Crypto, cookie: Uint8Array, body: Uint8Array): Uint8Array {
  return crypto.hmacSha256(cookie, body).slice(0, MAC);
}

function cookieKey(crypto: Crypto, serverStatic: Uint8Array): Uint8Array {
  return crypto.sha256(COOKIE_LABEL, serverStatic);
}

function firstByte(type: number, random: RandomSource): Uint8Array {
  return Uint8Array.of(0xc0 | (type << 4) | ((random(1)[0] ?? 0) & 0x0f));
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

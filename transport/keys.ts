import type { Aead, Crypto, HeaderMask } from "#crypto/crypto.js";
import { hkdfExpand } from "#crypto/hkdf.js";
import { utf8 } from "#kernel/bytes.js";
import type { NoiseResult } from "./noiseState.js";

/** Everything that protects packets of one epoch in one direction. */
export interface PacketKeys {
  readonly aead: Aead;
  /** 12 bytes, mixed with the packet number. */
  readonly iv: Uint8Array;
  readonly mask: HeaderMask;
  /** Overwrites the key bytes that are ours; what a back end keeps inside (a KeyObject) is only dropped. */
  erase(): void;
}

/** One epoch as one end sees it. */
export interface TrafficKeys {
  readonly send: PacketKeys;
  readonly receive: PacketKeys;
}

const LABEL_KEY = utf8("hf key");
const LABEL_IV = utf8("hf iv");
const LABEL_MASK = utf8("hf hp");

/** PROTOCOL.md §3. The secrets of `noise` are erased: only keys live on. */
export function trafficKeys(crypto: Crypto, role: "initiator" | "responder", noise: NoiseResult): TrafficKeys {
  const initiator = packetKeys(crypto, noise.initiatorKey);
  const responder = packetKeys(crypto, noise.responderKey);
  noise.initiatorKey.fill(0);
  noise.responderKey.fill(0);
  return role === "initiator" ? { send: initiator, receive: responder } : { send: responder, receive: initiator };
}

function packetKeys(crypto: Crypto, secret: Uint8Array): PacketKeys {
  const key = hkdfExpand(crypto, secret, LABEL_KEY, 32);
  const hp = hkdfExpand(crypto, secret, LABEL_MASK, 32);
  const iv = hkdfExpand(crypto, secret, LABEL_IV, 12);
  const mask = crypto.headerMask(hp);
  hp.fill(0);
  const erase = (): void => {
    key.fill(0);
    iv.fill(0);
  };
  return { aead: crypto.aead(key), iv, mask, erase };
}

import { type Cipher, createCipheriv } from "node:crypto";

const CHUNK = 65_536;
const BLOCK = 16;

/**
 * A responder's nonce Y for which g2(u, v, x, Y) shows `digits`, or undefined after 2^24 tries (one chance in 10^7).
 * CMAC's first four blocks do not change, so each try is one AES block: a million of them take some twenty milliseconds.
 */
export function nonceThatShows(digits: string, u: Uint8Array, v: Uint8Array, x: Uint8Array): Uint8Array | undefined {
  const aes = createCipheriv("aes-128-ecb", x, null).setAutoPadding(false);
  let state: Uint8Array = new Uint8Array(BLOCK);
  for (const half of [u, v])
    for (let at = 0; at < half.length; at += BLOCK) state = aes.update(xor(state, half.subarray(at, at + BLOCK)));
  const mask = xor(state, subkey(aes));
  const target = Number(digits);
  const blocks = new Uint8Array(CHUNK * BLOCK);
  const counters = new DataView(blocks.buffer);
  for (let chunk = 0; chunk < 256; chunk++) {
    for (let i = 0; i < CHUNK; i++) counters.setUint32(i * BLOCK, chunk * CHUNK + i);
    const macs = aes.update(blocks);
    for (let i = 0; i < CHUNK; i++)
      if (macs.readUInt32BE(i * BLOCK + 12) % 1_000_000 === target)
        return xor(blocks.subarray(i * BLOCK, (i + 1) * BLOCK), mask);
  }
  return undefined;
}

/** RFC 4493 §2.3, K1. */
function subkey(aes: Cipher): Uint8Array {
  const zero = aes.update(new Uint8Array(BLOCK));
  const doubled = zero.map((byte, i) => (byte << 1) | ((zero[i + 1] ?? 0) >> 7));
  if ((zero[0] ?? 0) & 0x80) doubled[BLOCK - 1] = (doubled[BLOCK - 1] ?? 0) ^ 0x87;
  return doubled;
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, i) => byte ^ (b[i] ?? 0));
}

import { concat } from "#kernel/bytes.js";
import type { Crypto } from "./crypto.js";

/** RFC 5869 §2.2. An empty salt stands for 32 zero bytes. */
export function hkdfExtract(crypto: Crypto, salt: Uint8Array, inputKey: Uint8Array): Uint8Array {
  return crypto.hmacSha256(salt.length === 0 ? new Uint8Array(32) : salt, inputKey);
}

/** RFC 5869 §2.3. `length`: 1 to 8160 bytes. */
export function hkdfExpand(crypto: Crypto, pseudorandomKey: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  if (length < 1 || length > 255 * 32) throw new RangeError(`hkdf: cannot expand to ${length} bytes`);
  const blocks: Uint8Array[] = [];
  let previous: Uint8Array = new Uint8Array(0);
  for (let counter = 1; blocks.length * 32 < length; counter++) {
    previous = crypto.hmacSha256(pseudorandomKey, previous, info, Uint8Array.of(counter));
    blocks.push(previous);
  }
  return concat(...blocks).slice(0, length);
}

/** Extract, then expand. */
export function hkdf(
  crypto: Crypto,
  input: {
    readonly salt: Uint8Array;
    readonly inputKey: Uint8Array;
    readonly info: Uint8Array;
    readonly length: number;
  },
): Uint8Array {
  return hkdfExpand(crypto, hkdfExtract(crypto, input.salt, input.inputKey), input.info, input.length);
}

import { concat } from "#kernel/bytes.js";
import type { Crypto } from "./crypto.js";

/** RFC 5869 §2.2. An empty salt stands for 32 zero bytes. */
export function hkdfExtract(crypto: Crypto, salt: Uint8Array, inputKey: Uint8Array): Uint8Array {
  return crypto.hmacSha256(salt.length === 0 ? new Uint8Array(32) : salt, inputKey);
}

/** RFC 5869 §2.3. `length`: 1 to 8160 bytes. */
export function hkdfExpand(crypto: Crypto, pseudorandomKey: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  if (length < 1 || length > 255 * 32) throw new RangeError(`hkdf: cannot expand to ${length} bytes`);
  const first = crypto.hmacSha256(pseudorandomKey, info, Uint8Array.of(1));
  if (length <= first.length) return length === first.length ? first : first.slice(0, length);
  const blocks = [first];
  for (let counter = 2; blocks.length * 32 < length; counter++)
    blocks.push(crypto.hmacSha256(pseudorandomKey, blocks.at(-1) ?? first, info, Uint8Array.of(counter)));
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

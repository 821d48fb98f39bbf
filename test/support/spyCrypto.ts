import type { Crypto } from "#crypto/crypto.js";
import { nativeCrypto } from "#crypto/native.node.js";

const CURVE = ["p256KeyPair", "p256IsValidPoint", "p256SharedSecret", "x25519KeyPair", "x25519"] as const;

/** A back end that notes which curve operations were asked of it. */
export function spyCrypto(base: Crypto = nativeCrypto): Crypto & { readonly calls: string[] } {
  const calls: string[] = [];
  const watched = Object.fromEntries(
    CURVE.map((name) => [
      name,
      (...parameters: unknown[]) => {
        calls.push(name);
        return (base[name] as (...all: unknown[]) => unknown)(...parameters);
      },
    ]),
  );
  return { ...base, ...watched, calls };
}

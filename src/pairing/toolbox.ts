import type { Crypto } from "#crypto/crypto.js";
import { concat, utf8 } from "#kernel/bytes.js";

// Bluetooth Core Specification, Vol 3 Part H §2.2.6 to §2.2.9. All values big-endian, as the specification prints them.

/** f5's SALT and key id, §2.2.7. */
const F5_SALT = Uint8Array.of(
  0x6c,
  0x88,
  0x83,
  0x91,
  0xaa,
  0xf5,
  0xa5,
  0x38,
  0x60,
  0x37,
  0x0b,
  0xdb,
  0x5a,
  0x60,
  0x83,
  0xbe,
);
const F5_KEY_ID = utf8("btle");
const F5_LENGTH = Uint8Array.of(0x01, 0x00);

/** Commitment: `u`, `v` are 32-byte x coordinates, `x` a 16-byte nonce, `z` one byte. 16 bytes. */
export function f4(crypto: Crypto, u: Uint8Array, v: Uint8Array, x: Uint8Array, z: number): Uint8Array {
  return crypto.aesCmac({ key: x, message: concat(u, v, Uint8Array.of(z)) });
}

/** MacKey and LTK, 16 bytes each. `w`: 32-byte DHKey; nonces 16 bytes; `a1`, `a2` 7 bytes. */
export function f5(
  crypto: Crypto,
  input: {
    readonly w: Uint8Array;
    readonly n1: Uint8Array;
    readonly n2: Uint8Array;
    readonly a1: Uint8Array;
    readonly a2: Uint8Array;
  },
): { macKey: Uint8Array; ltk: Uint8Array } {
  const key = crypto.aesCmac({ key: F5_SALT, message: input.w });
  const derive = (counter: number): Uint8Array =>
    crypto.aesCmac({
      key,
      message: concat(Uint8Array.of(counter), F5_KEY_ID, input.n1, input.n2, input.a1, input.a2, F5_LENGTH),
    });
  return { macKey: derive(0), ltk: derive(1) };
}

/** DHKey check, 16 bytes. `r` 16 bytes, `ioCap` 3 bytes. */
export function f6(
  crypto: Crypto,
  input: {
    readonly w: Uint8Array;
    readonly n1: Uint8Array;
    readonly n2: Uint8Array;
    readonly r: Uint8Array;
    readonly ioCap: Uint8Array;
    readonly a1: Uint8Array;
    readonly a2: Uint8Array;
  },
): Uint8Array {
  const message = concat(input.n1, input.n2, input.r, input.ioCap, input.a1, input.a2);
  return crypto.aesCmac({ key: input.w, message });
}

/** The six digits both screens show. `u`, `v`: 32-byte x coordinates; `x`, `y`: the two nonces. */
export function g2(crypto: Crypto, u: Uint8Array, v: Uint8Array, x: Uint8Array, y: Uint8Array): string {
  const mac = crypto.aesCmac({ key: x, message: concat(u, v, y) });
  const [a = 0, b = 0, c = 0, d = 0] = mac.subarray(12);
  const value = a * 0x100_0000 + b * 0x1_0000 + c * 0x100 + d;
  return String(value % 1_000_000).padStart(6, "0");
}

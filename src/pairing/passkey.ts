import type { RandomSource } from "#kernel/ports.js";
import { PASSKEY_ROUNDS } from "./models.js";

/** Sixteen consonants: nothing that one could read from a screen of digits, and no words. PROTOCOL.md §4. */
const LETTERS = "BCDFGHJKLMNPQRST";
const LENGTH = 5;

/** A new passkey: 20 bits, never chosen by anybody. */
export function drawPasskey(random: RandomSource): number {
  const [a = 0, b = 0, c = 0] = random(3);
  return ((a << 16) | (b << 8) | c) >>> (24 - PASSKEY_ROUNDS);
}

/** Five letters; the first holds bits 19 to 16. */
export function passkeyLetters(passkey: number): string {
  let letters = "";
  for (let i = LENGTH - 1; i >= 0; i--) letters += LETTERS[(passkey >>> (4 * i)) & 15];
  return letters;
}

/** What a person typed: five of the letters in any case, spaces and hyphens ignored; undefined for everything else, so for every number. */
export function parsePasskey(typed: string): number | undefined {
  const letters = typed.toUpperCase().replaceAll(/[\s-]/g, "");
  if (letters.length !== LENGTH) return undefined;
  let passkey = 0;
  for (const letter of letters) {
    const value = LETTERS.indexOf(letter);
    if (value < 0) return undefined;
    passkey = passkey * 16 + value;
  }
  return passkey;
}

/** The bit of round `i`, as f4's Z. */
export function passkeyBit(passkey: number, round: number): number {
  return 0x80 | ((passkey >>> round) & 1);
}

/** As f6's R: 16 bytes, big-endian. */
export function passkeyBlock(passkey: number): Uint8Array {
  const block = new Uint8Array(16);
  new DataView(block.buffer).setUint32(12, passkey);
  return block;
}

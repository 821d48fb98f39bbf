import type { Crypto } from "#crypto/crypto.js";
import { equalConstantTime, utf8 } from "#kernel/bytes.js";
import type { PairingLink } from "./link.js";
import { f4 } from "./toolbox.js";

/** What both sides know from elsewhere. A link goes one way, from the responder's screen; a secret both already hold. */
export type OutOfBand =
  | { readonly kind: "link"; readonly link: PairingLink }
  | { readonly kind: "secret"; readonly secret: Uint8Array };

const SECRET_BYTES = { least: 16, most: 64 } as const;

/** A secret is random, not a password: whoever talks to one side can try guesses at home. Throws RangeError. */
export function requireSecret(secret: Uint8Array): void {
  if (secret.length < SECRET_BYTES.least || secret.length > SECRET_BYTES.most)
    throw new RangeError(`pairing: a secret has ${SECRET_BYTES.least} to ${SECRET_BYTES.most} random bytes`);
}

const BLOCK = 16;
const HINT = 8;

/** Names the link, so that an old one is told from an attack. A secret is not named: its name could be guessed from. */
export function hintOf(crypto: Crypto, outOfBand: OutOfBand): Uint8Array {
  return outOfBand.kind === "link"
    ? crypto.sha256(utf8("hf1 link id"), outOfBand.link.bytes).slice(0, HINT)
    : new Uint8Array(0);
}

/** What the transcript begins with: only who has the link or the secret can know the hash over it. */
export function transcriptPrefix(crypto: Crypto, outOfBand: OutOfBand): Uint8Array {
  return outOfBand.kind === "link"
    ? crypto.sha256(outOfBand.link.bytes)
    : crypto.hmacSha256(outOfBand.secret, utf8("hf1 secret transcript"));
}

/** The initiator's check of PKb, before anything of the link is used. A secret proves PKb only by Eb. */
export function fitsLink(crypto: Crypto, outOfBand: OutOfBand, publicB: Uint8Array): boolean {
  if (outOfBand.kind === "secret") return true;
  const x = publicB.subarray(1, 33);
  const { rb, commitment } = outOfBand.link;
  return equalConstantTime(f4(crypto, x, x, rb, 0), commitment);
}

/**
 * f6's R of each side. Whoever knows MacKey can compute R back from Ea or Eb, so a man in the middle learns what he is shown.
 * With a link that is nobody, because PKb is proved first. With a secret R depends on both public keys and is worth nothing elsewhere.
 */
export function rOf(
  crypto: Crypto,
  outOfBand: OutOfBand,
  publicA: Uint8Array,
  publicB: Uint8Array,
): { readonly ra: Uint8Array; readonly rb: Uint8Array } {
  if (outOfBand.kind === "link") return { ra: new Uint8Array(BLOCK), rb: outOfBand.link.rb };
  const r = (label: string): Uint8Array =>
    crypto.hmacSha256(outOfBand.secret, utf8(label), publicA, publicB).slice(0, BLOCK);
  return { ra: r("hf1 secret ra"), rb: r("hf1 secret rb") };
}

/** Who holds out-of-band data: SMP's OOB flag of each side. */
export function holders(outOfBand: OutOfBand): { readonly initiator: boolean; readonly responder: boolean } {
  return { initiator: true, responder: outOfBand.kind === "secret" };
}

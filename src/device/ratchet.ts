import type { Bond } from "#bonds/bond.js";
import { Secret } from "#bonds/secret.js";
import type { Crypto } from "#crypto/crypto.js";
import { hkdf } from "#crypto/hkdf.js";
import { equalConstantTime, utf8 } from "#kernel/bytes.js";

/** An Init names so many secrets at most: PROTOCOL.md §5. */
const MAX_HINTS = 8;
const EMPTY = new Uint8Array(0);

/** The secret that follows `used` after a handshake with this exporter. */
export function nextSecret(crypto: Crypto, used: Uint8Array, exporter: Uint8Array): Uint8Array {
  return hkdf(crypto, { salt: used, inputKey: exporter, info: utf8("hf1 bond next"), length: 32 });
}

/** The bond after a handshake with `used`, which both sides have proved; undefined when the bond has moved past it. */
export function afterHandshake(crypto: Crypto, bond: Bond, used: Uint8Array, exporter: Uint8Array): Bond | undefined {
  const next = new Secret(nextSecret(crypto, used, exporter));
  const lineage = new Secret(lineageOf(crypto, bond));
  if (bond.next && equalConstantTime(bond.next.reveal(), used)) {
    const postQuantum = bond.postQuantum === "next" ? "mixed" : bond.postQuantum;
    return { ...bond, secret: bond.next, next, lineage, generation: bond.generation + 1, postQuantum };
  }
  if (!equalConstantTime(bond.secret.reveal(), used)) return undefined;
  return { ...bond, next, lineage, postQuantum: bond.postQuantum === "next" ? "promised" : bond.postQuantum };
}

/** The secrets a client holds for one device, from all of its bonds with it, newest first; and their names in an Init. */
export function secretsOf(
  crypto: Crypto,
  bonds: readonly Bond[],
): { readonly psks: readonly Uint8Array[]; readonly hints: readonly Uint8Array[]; readonly lineages: Uint8Array[] } {
  const psks = liveSecrets(bonds).slice(0, MAX_HINTS);
  return {
    psks,
    hints: psks.map((psk) => hintOf(crypto, psk)),
    lineages: bonds.map((bond) => lineageOf(crypto, bond)),
  };
}

/** The server's answer to these hints: the first secret it knows, or the proof that it knows none. `bonds`: newest first, at least one. */
export function chooseSecret(
  crypto: Crypto,
  bonds: readonly [Bond, ...Bond[]],
  hints: readonly Uint8Array[],
): { readonly psk: Uint8Array; readonly copied: boolean } {
  const known = liveSecrets(bonds).map((psk) => ({ psk, hint: hintOf(crypto, psk) }));
  for (const hint of hints) {
    const found = known.find((each) => equalConstantTime(each.hint, hint));
    if (found) return { psk: found.psk, copied: false };
  }
  const newest = bonds.find(({ state }) => state === "confirmed") ?? bonds[0];
  return { psk: lineageOf(crypto, newest), copied: true };
}

/** PROTOCOL.md §6: the secret of this handshake is not yet safe against a later quantum computer, and both sides promised that it will be. */
export function needsExchange(bond: Bond): boolean {
  return bond.postQuantum === "promised";
}

export function holdsSecret(bond: Bond, psk: Uint8Array): boolean {
  return liveSecrets([bond]).some((secret) => equalConstantTime(secret, psk));
}

function liveSecrets(bonds: readonly Bond[]): Uint8Array[] {
  return bonds.flatMap(({ next, secret }) => [...(next ? [next.reveal()] : []), secret.reveal()]);
}

function hintOf(crypto: Crypto, psk: Uint8Array): Uint8Array {
  return crypto.hmacSha256(psk, utf8("hf1 bond hint")).slice(0, 8);
}

/** Before the first step `secret` is the first one. */
function lineageOf(crypto: Crypto, bond: Bond): Uint8Array {
  if (bond.lineage) return bond.lineage.reveal();
  return hkdf(crypto, { salt: EMPTY, inputKey: bond.secret.reveal(), info: utf8("hf1 bond lineage"), length: 32 });
}

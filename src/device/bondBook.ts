import type { Bond } from "#bonds/bond.js";
import { Secret } from "#bonds/secret.js";
import type { BondStore } from "#bonds/store.js";
import type { Crypto } from "#crypto/crypto.js";
import { equalConstantTime, toHex, utf8 } from "#kernel/bytes.js";
import { type Address, sameAddress } from "#kernel/ports.js";
import type { PairedPeer } from "#pairing/exchange.js";
import { UPGRADE_ML_KEM } from "./quantum.js";
import { afterHandshake, holdsSecret, needsExchange } from "./ratchet.js";

const MAX_ADDRESSES = 4;
/** PROTOCOL.md §2: a bond that nobody used for so long was never finished. */
const PROVISIONAL_MS = 24 * 60 * 60_000;

/** The name of a device in files, events and commands: the same on every device that knows it, for ever. 16 hex digits. */
export function deviceIdOf(crypto: Crypto, staticPublic: Uint8Array): string {
  return toHex(crypto.sha256(utf8("hf device"), staticPublic).slice(0, 8));
}

/** `upgrades`: what both sides promised in their features, which the transcript covers. */
export function bondFrom(peer: PairedPeer & { readonly upgrades?: number }, wallNow: number): Bond {
  return {
    id: toHex(peer.bondId),
    peerStatic: peer.staticPublic,
    secret: new Secret(peer.psk),
    irk: new Secret(peer.irk),
    name: peer.name,
    platform: peer.platform,
    scopes: [],
    state: "provisional",
    createdAt: storedTime(wallNow),
    lastSeenAt: storedTime(wallNow),
    generation: 0,
    postQuantum: ((peer.upgrades ?? 0) & UPGRADE_ML_KEM) === 0 ? "none" : "promised",
    addresses: [peer.address],
  };
}

/** All bonds with the holder of this key, newest first: while a device pairs again there are two. */
export function bondsWith(store: BondStore, staticPublic: Uint8Array): Bond[] {
  return store
    .bonds()
    .filter((bond) => equalConstantTime(bond.peerStatic, staticPublic))
    .reverse();
}

/**
 * A handshake with `psk` has proved a bond: it moves on, and counts from now on unless it still needs the exchange of PROTOCOL.md §6.
 * Durable on return. Undefined when the bond is gone, or has moved past that secret.
 */
export async function ratchetBond(
  { store, crypto }: { readonly store: BondStore; readonly crypto: Crypto },
  proved: { readonly peerStatic: Uint8Array; readonly psk: Uint8Array; readonly exporter: Uint8Array },
  seen: { readonly path: Address; readonly wallNow: number },
): Promise<Bond | undefined> {
  const bond = bondsWith(store, proved.peerStatic).find((each) => holdsSecret(each, proved.psk));
  if (!bond) return undefined;
  return await store.update(bond.id, (now) => {
    const moved = afterHandshake(crypto, now, proved.psk, proved.exporter);
    if (!moved) return undefined;
    const known = now.addresses.filter((address) => !sameAddress(address, seen.path));
    const addresses = [seen.path, ...known].slice(0, MAX_ADDRESSES);
    const state = needsExchange(moved) ? now.state : "confirmed";
    return { ...moved, state, lastSeenAt: storedTime(seen.wallNow), addresses };
  });
}

/** The exchange of PROTOCOL.md §6 has made `next` of this session's step into `mixed`: the bond counts. Durable on return. */
export async function mixBond(store: BondStore, bond: Bond, mixed: Uint8Array): Promise<Bond | undefined> {
  return await store.update(bond.id, (now) => {
    if (!now.next || !bond.next || !equalConstantTime(now.next.reveal(), bond.next.reveal())) return undefined;
    return { ...now, next: new Secret(mixed), postQuantum: "next", state: "confirmed" };
  });
}

/** A confirmed bond replaces every older one of the same device. */
export async function dropReplaced(store: BondStore, bond: Bond): Promise<void> {
  if (bond.state !== "confirmed") return;
  const bonds = bondsWith(store, bond.peerStatic);
  for (const older of bonds.slice(1 + bonds.findIndex(({ id }) => id === bond.id))) await store.drop(older.id);
}

/** Forgets the device that holds `bond`, whatever bond it holds by now. False when it is not known. Durable on return. */
export async function forgetDevice(store: BondStore, bond: Bond, wallNow: number): Promise<boolean> {
  const [newest] = bondsWith(store, bond.peerStatic);
  return newest !== undefined && (await store.remove(newest.id, storedTime(wallNow)));
}

/** PROTOCOL.md §2: never finished. */
export function isStale(bond: Bond, wallNow: number): boolean {
  return bond.state === "provisional" && wallNow - bond.createdAt > PROVISIONAL_MS;
}

export async function dropStale(store: BondStore, wallNow: number): Promise<void> {
  for (const bond of store.bonds()) if (isStale(bond, wallNow)) await store.drop(bond.id);
}

/** A clock that nobody has set may stand before 1970; a store takes whole milliseconds since then. */
function storedTime(wallNow: number): number {
  return Math.max(0, Math.trunc(wallNow));
}

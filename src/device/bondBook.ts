import type { Bond } from "#bonds/bond.js";
import { Secret } from "#bonds/secret.js";
import type { BondStore } from "#bonds/store.js";
import type { Crypto } from "#crypto/crypto.js";
import { equalConstantTime, toHex, utf8 } from "#kernel/bytes.js";
import type { Address } from "#kernel/ports.js";
import type { PairedPeer } from "#pairing/exchange.js";

const MAX_ADDRESSES = 4;
/** PROTOCOL.md §2: a bond that nobody used for so long was never finished. */
const PROVISIONAL_MS = 24 * 60 * 60_000;

/** The name of a device in files, events and commands: the same on every device that knows it, for ever. 16 hex digits. */
export function deviceIdOf(crypto: Crypto, staticPublic: Uint8Array): string {
  return toHex(crypto.sha256(utf8("hf device"), staticPublic).slice(0, 8));
}

export function bondFrom(peer: PairedPeer, wallNow: number): Bond {
  return {
    id: toHex(peer.bondId),
    peerStatic: peer.staticPublic,
    secret: new Secret(peer.psk),
    irk: new Secret(peer.irk),
    name: peer.name,
    platform: peer.platform,
    scopes: [],
    state: "provisional",
    createdAt: Math.trunc(wallNow),
    lastSeenAt: Math.trunc(wallNow),
    generation: 0,
    postQuantum: "none",
    addresses: [peer.address],
  };
}

/** All bonds with the holder of this key, newest first: while a device pairs again there are two. */
export function bondsWith(store: BondStore, staticPublic: Uint8Array): Bond[] {
  return store
    .bonds()
    .filter((bond) => equalConstantTime(bond.peerStatic, staticPublic))
    .sort((a, b) => b.createdAt - a.createdAt);
}

/** The channel handshake has proved the bond: it counts from now on, and what it replaces goes. Durable on return. */
export async function confirmBond(store: BondStore, bond: Bond, path: Address, wallNow: number): Promise<Bond> {
  const known = bond.addresses.filter(({ host, port }) => host !== path.host || port !== path.port);
  const addresses = [path, ...known].slice(0, MAX_ADDRESSES);
  const confirmed: Bond = { ...bond, state: "confirmed", lastSeenAt: Math.trunc(wallNow), addresses };
  await store.put(confirmed);
  for (const other of bondsWith(store, bond.peerStatic)) if (other.id !== bond.id) await store.drop(other.id);
  return confirmed;
}

/** Drops bonds that stayed provisional for a day. */
export async function dropStale(store: BondStore, wallNow: number): Promise<void> {
  for (const bond of store.bonds())
    if (bond.state === "provisional" && wallNow - bond.createdAt > PROVISIONAL_MS) await store.drop(bond.id);
}

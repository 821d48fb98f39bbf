import { equalConstantTime } from "#kernel/bytes.js";
import { BOND_LIMITS, type Bond, bondFromStored, bondToStored, type Tombstone } from "./bond.js";
import { StateError } from "./store.js";

/** Bonds, oldest first, and tombstones: one value, replaced as a whole, so that a failed write leaves the old one. */
export interface Book {
  readonly bonds: readonly Bond[];
  readonly tombstones: readonly Tombstone[];
}

export const EMPTY_BOOK: Book = { bonds: [], tombstones: [] };

export function withBond(book: Book, given: Bond): Book {
  // Through the stored form: checked like a read one, and nothing of the caller's is shared.
  const bond = bondFromStored(bondToStored(given));
  const old = book.bonds.find(({ id }) => id === bond.id);
  if (!old && book.bonds.length >= BOND_LIMITS.bonds)
    throw new StateError("STATE_FULL", `This device already knows ${BOND_LIMITS.bonds} others. Forget one first.`);
  const state = old?.state === "confirmed" ? "confirmed" : bond.state;
  return {
    bonds: old ? book.bonds.map((each) => (each === old ? { ...bond, state } : each)) : [...book.bonds, bond],
    tombstones: book.tombstones.filter(({ peerStatic }) => !equalConstantTime(peerStatic, bond.peerStatic)),
  };
}

/** The bond as it is, changed; id, peer and a confirmed state stay. Undefined when there is no such bond, or nothing is to change. */
export function withUpdate(book: Book, id: string, change: (bond: Bond) => Bond | undefined): Book | undefined {
  const bond = book.bonds.find((each) => each.id === id);
  const changed = bond && change(bond);
  return changed && withBond(book, { ...changed, id: bond.id, peerStatic: bond.peerStatic });
}

/** Undefined when there is no such bond. */
export function withoutBond(book: Book, id: string): Book | undefined {
  const bonds = book.bonds.filter((bond) => bond.id !== id);
  return bonds.length === book.bonds.length ? undefined : { ...book, bonds };
}

/** Undefined when there is no such bond. Every bond of the same device goes with it: it is forgotten as a whole. */
export function withTombstone(book: Book, id: string, forgottenAt: number): Book | undefined {
  const bond = book.bonds.find((each) => each.id === id);
  if (!bond) return undefined;
  const other = (each: { readonly peerStatic: Uint8Array }): boolean =>
    !equalConstantTime(each.peerStatic, bond.peerStatic);
  const tombstone = { peerStatic: bond.peerStatic, name: bond.name, forgottenAt };
  return {
    bonds: book.bonds.filter(other),
    tombstones: [...book.tombstones.filter(other), tombstone].slice(-BOND_LIMITS.tombstones),
  };
}

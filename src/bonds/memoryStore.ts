import type { RandomSource } from "#kernel/ports.js";
import type { Bond, Tombstone } from "./bond.js";
import { type Book, EMPTY_BOOK, withBond, withoutBond, withTombstone, withUpdate } from "./book.js";
import { type BondStore, type DeviceIdentity, freshIdentity, type StoredAttempts } from "./store.js";

/** A store that forgets everything with the process: for tests, tries and programs that keep state elsewhere. */
export class MemoryBondStore implements BondStore {
  #identity: DeviceIdentity;
  #book: Book = EMPTY_BOOK;
  #attempts: StoredAttempts = { failures: 0, windows: 0 };

  constructor(random: RandomSource) {
    this.#identity = freshIdentity(random);
  }

  identity(): DeviceIdentity {
    return this.#identity;
  }

  async setName(name: string): Promise<void> {
    this.#identity = { ...this.#identity, name };
  }

  bonds(): readonly Bond[] {
    return this.#book.bonds;
  }

  async put(bond: Bond): Promise<void> {
    this.#book = withBond(this.#book, bond);
  }

  async update(id: string, change: (bond: Bond) => Bond | undefined): Promise<Bond | undefined> {
    return this.#replace(withUpdate(this.#book, id, change))
      ? this.#book.bonds.find((bond) => bond.id === id)
      : undefined;
  }

  async remove(id: string, wallNow: number): Promise<boolean> {
    return this.#replace(withTombstone(this.#book, id, wallNow));
  }

  async drop(id: string): Promise<boolean> {
    return this.#replace(withoutBond(this.#book, id));
  }

  tombstones(): readonly Tombstone[] {
    return this.#book.tombstones;
  }

  attempts(): StoredAttempts {
    return this.#attempts;
  }

  async saveAttempts({ failures, windows }: StoredAttempts): Promise<void> {
    this.#attempts = { failures, windows };
  }

  async close(): Promise<void> {}

  #replace(book: Book | undefined): boolean {
    if (book) this.#book = book;
    return book !== undefined;
  }
}

import { MemoryBondStore } from "#bonds/memoryStore.js";
import type { BondStore } from "#bonds/store.js";
import { systemRandom } from "#transport/clock.node.js";

/** A store that ends with the process: for a look around that should leave nothing behind. */
export function temporaryStore(): BondStore {
  return new MemoryBondStore(systemRandom);
}

import type { Bond } from "#bonds/bond.js";
import { MemoryBondStore } from "#bonds/memoryStore.js";
import type { BondStore, StoredAttempts } from "#bonds/store.js";
import type { RandomSource } from "#kernel/ports.js";

/** What a kill -9 leaves: the disk, as it was. Counts the steps of a device and ends it at one of them. */
export class Life {
  readonly #diesAt: number;
  #steps = 0;
  #onDeath: () => void = () => {};

  constructor(diesAt: number) {
    this.#diesAt = diesAt;
  }

  get alive(): boolean {
    return this.#steps < this.#diesAt;
  }

  onDeath(then: () => void): void {
    this.#onDeath = then;
  }

  /** One step is over. */
  step(): void {
    this.#steps++;
    if (this.#steps === this.#diesAt) this.#onDeath();
  }
}

/** A disk that outlives the processes that use it. Every counter that was ever durable is kept in order. */
export class Disk {
  readonly memory: MemoryBondStore;
  readonly counters: StoredAttempts[] = [];

  constructor(random: RandomSource) {
    this.memory = new MemoryBondStore(random);
  }

  /** The store as one process sees it: before and after each write that process may be killed. */
  mount(life: Life): BondStore {
    const { memory } = this;
    const write = async <T>(work: () => Promise<T>): Promise<T> => {
      life.step();
      if (!life.alive) return await new Promise<T>(() => {});
      const result = await work();
      life.step();
      return life.alive ? result : await new Promise<T>(() => {});
    };
    return {
      identity: () => memory.identity(),
      bonds: () => memory.bonds(),
      tombstones: () => memory.tombstones(),
      attempts: () => memory.attempts(),
      setName: (name) => write(() => memory.setName(name)),
      put: (bond: Bond) => write(() => memory.put(bond)),
      remove: (id, wallNow) => write(() => memory.remove(id, wallNow)),
      drop: (id) => write(() => memory.drop(id)),
      saveAttempts: (attempts) =>
        write(async () => {
          await memory.saveAttempts(attempts);
          this.counters.push(attempts);
        }),
      close: async () => {},
    };
  }
}

import { MemoryBondStore } from "#bonds/memoryStore.js";
import type { BondStore, StoredAttempts } from "#bonds/store.js";
import type { RandomSource } from "#kernel/ports.js";

const READS: ReadonlySet<keyof BondStore> = new Set(["identity", "bonds", "tombstones", "attempts"]);

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
    // Every method but these writes.
    const wrapped: ProxyHandler<MemoryBondStore> = {
      get: (_, name: keyof BondStore) => {
        if (name === "close") return async () => {};
        const method = memory[name].bind(memory) as (...given: unknown[]) => Promise<unknown>;
        if (READS.has(name)) return method;
        return (...given: unknown[]) =>
          write(async () => {
            const result = await method(...given);
            if (name === "saveAttempts") this.counters.push(memory.attempts());
            return result;
          });
      },
    };
    return new Proxy(memory, wrapped);
  }
}

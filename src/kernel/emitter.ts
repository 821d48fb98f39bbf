type Listener<Arguments extends readonly unknown[]> = (...values: Arguments) => unknown;

/** Events by name. `Events` maps each name to its argument list. */
export class Emitter<Events extends { readonly [Name in keyof Events]: readonly unknown[] }> {
  #listeners: Map<keyof Events, Set<Listener<never>>> | undefined;

  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this {
    this.#listeners ??= new Map();
    const set = this.#listeners.get(name) ?? new Set();
    set.add(listener);
    this.#listeners.set(name, set);
    return this;
  }

  off<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this {
    this.#listeners?.get(name)?.delete(listener);
    return this;
  }

  once<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this {
    const wrapped: Listener<Events[Name]> = (...values) => {
      this.off(name, wrapped);
      listener(...values);
    };
    return this.on(name, wrapped);
  }

  /** True when somebody listens to `name`. */
  has(name: keyof Events): boolean {
    return (this.#listeners?.get(name)?.size ?? 0) > 0;
  }

  /** A listener that throws must not stop the protocol that emits: its error surfaces as an uncaught one, afterwards. */
  emit<Name extends keyof Events>(name: Name, ...values: Events[Name]): void {
    for (const listener of [...(this.#listeners?.get(name) ?? [])]) {
      try {
        (listener as Listener<Events[Name]>)(...values);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

import type { Instant } from "#kernel/ports.js";

interface Slot<T> {
  readonly item: T;
  at: Instant;
  index: number;
}

/** When each of many things wants to be woken, the earliest first: a binary heap. O(log n) to change, O(1) to ask. */
export class Deadlines<T> {
  readonly #heap: Slot<T>[] = [];
  readonly #slots = new Map<T, Slot<T>>();

  get size(): number {
    return this.#heap.length;
  }

  get earliest(): Instant | undefined {
    return this.#heap[0]?.at;
  }

  /** The item whose time has come first, if one has. It stays until `set` or `delete`. */
  due(now: Instant): T | undefined {
    const first = this.#heap[0];
    return first && first.at <= now ? first.item : undefined;
  }

  /** Undefined: it does not want to be woken. */
  set(item: T, at: Instant | undefined): void {
    if (at === undefined) {
      this.delete(item);
      return;
    }
    const known = this.#slots.get(item);
    if (known) {
      const later = at > known.at;
      known.at = at;
      if (later) this.#sink(known);
      else this.#rise(known);
      return;
    }
    const slot = { item, at, index: this.#heap.length };
    this.#slots.set(item, slot);
    this.#heap.push(slot);
    this.#rise(slot);
  }

  delete(item: T): void {
    const slot = this.#slots.get(item);
    if (!slot) return;
    this.#slots.delete(item);
    const last = this.#heap.pop();
    if (!last || last === slot) return;
    this.#put(last, slot.index);
    this.#rise(last);
    this.#sink(last);
  }

  #rise(slot: Slot<T>): void {
    while (slot.index > 0) {
      const parent = this.#heap[(slot.index - 1) >> 1];
      if (!parent || parent.at <= slot.at) return;
      this.#swap(slot, parent);
    }
  }

  #sink(slot: Slot<T>): void {
    for (;;) {
      const left = this.#heap[2 * slot.index + 1];
      const right = this.#heap[2 * slot.index + 2];
      const child = right && left && right.at < left.at ? right : left;
      if (!child || child.at >= slot.at) return;
      this.#swap(slot, child);
    }
  }

  #swap(a: Slot<T>, b: Slot<T>): void {
    const { index } = a;
    this.#put(a, b.index);
    this.#put(b, index);
  }

  #put(slot: Slot<T>, index: number): void {
    slot.index = index;
    this.#heap[index] = slot;
  }
}

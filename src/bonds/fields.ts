import { fromBase64Url, fromUtf8, utf8 } from "#kernel/bytes.js";

/** Reads one stored JSON object field by field. What is missing, odd or left over throws RangeError; values never show in it. */
export class Fields {
  readonly #what: string;
  readonly #values: Map<string, unknown>;

  constructor(what: string, value: unknown) {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new RangeError(`${what}: not an object`);
    this.#what = what;
    this.#values = new Map(Object.entries(value));
  }

  text(name: string, maxBytes: number, form?: RegExp): string {
    const value = this.#take(name);
    if (typeof value !== "string" || utf8(value).length > maxBytes || fromUtf8(utf8(value)) !== value)
      throw this.#odd(name);
    if (form && !form.test(value)) throw this.#odd(name);
    return value;
  }

  bytes(name: string, length: number): Uint8Array {
    const value = this.#take(name);
    const bytes = typeof value === "string" ? fromBase64Url(value) : undefined;
    if (bytes?.length !== length) throw this.#odd(name);
    return bytes;
  }

  /** An integer from 0 to `max`. */
  count(name: string, max: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.#take(name);
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0 || value > max) throw this.#odd(name);
    return value;
  }

  oneOf<const Choice extends string>(name: string, choices: readonly Choice[]): Choice {
    const value = this.#take(name);
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw this.#odd(name);
    return found;
  }

  list<Item>(name: string, max: number, read: (value: unknown) => Item): readonly Item[] {
    const value = this.#take(name);
    if (!Array.isArray(value) || value.length > max) throw this.#odd(name);
    return value.map((item: unknown) => read(item));
  }

  value(name: string): unknown {
    return this.#take(name);
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** Unknown fields would be lost at the next write, so they are an error. */
  end(): void {
    for (const name of this.#values.keys()) throw new RangeError(`${this.#what}: unknown field ${name.slice(0, 32)}`);
  }

  #take(name: string): unknown {
    if (!this.#values.has(name)) throw new RangeError(`${this.#what}: ${name} is missing`);
    const value = this.#values.get(name);
    this.#values.delete(name);
    return value;
  }

  #odd(name: string): RangeError {
    return new RangeError(`${this.#what}: odd ${name}`);
  }
}

const REDACTED = "[secret]";

/** Key material that does not show when printed, inspected (private fields never do) or serialised. The bytes come out of `reveal` only. */
export class Secret {
  readonly #bytes: Uint8Array;

  /** Keeps a copy of `bytes`. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes.slice();
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** The bytes themselves, not a copy: do not change them, do not log them. */
  reveal(): Uint8Array {
    return this.#bytes;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }
}

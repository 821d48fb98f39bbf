/**
 * The one base of everything Handfast throws on purpose.
 * `message` is a sentence for the person: what happened and what to do. `code` is for the program and never changes.
 * Neither ever holds key material.
 */
export class HandfastError extends Error {
  override readonly name: string = "HandfastError";
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Bytes from a peer that are not what the protocol allows. Caught at the door of every machine: a counted drop. */
export class WireError extends HandfastError {
  override readonly name = "WireError";
  constructor(message: string) {
    super("MALFORMED", message);
  }
}

/** What `read` makes of a peer's bytes; undefined when it throws WireError. */
export function unlessMalformed<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

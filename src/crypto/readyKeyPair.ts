import type { KeyPair } from "./crypto.js";

/** A key pair made in advance, when nobody waits for it. Each is given out once. */
export class ReadyKeyPair {
  readonly #make: () => KeyPair;
  #ready: KeyPair | undefined;

  constructor(make: () => KeyPair) {
    this.#make = make;
  }

  get isReady(): boolean {
    return this.#ready !== undefined;
  }

  /** The one that will be given out; made now if it is not there. */
  next(): KeyPair {
    this.#ready ??= this.#make();
    return this.#ready;
  }

  /** It belongs to somebody now. */
  taken(): void {
    this.#ready = undefined;
  }

  /** Never the same one twice. */
  take(): KeyPair {
    const pair = this.next();
    this.taken();
    return pair;
  }

  forget(): void {
    this.#ready?.secret.fill(0);
    this.#ready = undefined;
  }
}

import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Bond } from "#bonds/bond.js";
import { FileBondStore } from "#bonds/fileStore.node.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { systemClock, systemRandom } from "#transport/clock.node.js";
import { deviceIdOf } from "./bondBook.js";

/** What a device remembers, opened without a socket: for commands that only look or forget. */
export class StoredDevice implements AsyncDisposable {
  readonly #store: FileBondStore;

  private constructor(store: FileBondStore) {
    this.#store = store;
  }

  /** Undefined when this device has never been used. Throws StateError, STATE_IN_USE while another process has it. */
  static async open(directory: string): Promise<StoredDevice | undefined> {
    const used = await stat(join(directory, "identity.json")).catch(() => undefined);
    if (!used) return undefined;
    return new StoredDevice(await FileBondStore.open({ directory, random: systemRandom }));
  }

  get failedPairings(): number {
    return this.#store.attempts().failures;
  }

  bonds(): readonly { readonly device: string; readonly bond: Bond }[] {
    return this.#store.bonds().map((bond) => ({ device: deviceIdOf(nativeCrypto, bond.peerStatic), bond }));
  }

  async forget(bond: Bond): Promise<boolean> {
    return await this.#store.remove(bond.id, Math.trunc(systemClock.wall()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store.close();
  }
}

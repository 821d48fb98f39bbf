/** Lets promises wait until something changed. Every waiter looks again for itself whether the change is the one it wants. */
export class Gate {
  #waiters: (() => void)[] = [];

  /** Resolves at the next `open`. Rejects with the signal's reason when it aborts first. */
  async wait(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => reject(signal?.reason);
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiters.push(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
    });
  }

  /** Wakes everybody who waits now. */
  open(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}

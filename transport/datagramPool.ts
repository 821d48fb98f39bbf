const SLAB = 2 * 1024 * 1024;
const FIRST_SLAB = 8 * 1024;
const GROWTH = 16;

/**
 * Memory for outgoing datagrams, used over and over. A datagram is the socket's until two mebibytes more have been taken;
 * sockets say when they hold on to so much (`congested`), and then nobody takes any.
 */
export class DatagramPool {
  #slab = new Uint8Array(0);
  #offset = 0;

  /** Where there is room for `size` bytes in `slab`. They are not zero. */
  take(size: number): number {
    if (this.#offset + size > this.#slab.length) this.#next(size);
    return this.#offset;
  }

  get slab(): Uint8Array {
    return this.#slab;
  }

  /** So many bytes of what `take` gave were used. */
  use(size: number): void {
    this.#offset += size;
  }

  /** Starts small: most connections are silent, and the first packet does not wait for zeros. */
  #next(size: number): void {
    this.#offset = 0;
    const { length } = this.#slab;
    if (length >= SLAB) return;
    this.#slab = new Uint8Array(Math.max(size, Math.min(SLAB, length === 0 ? FIRST_SLAB : GROWTH * length)));
  }
}

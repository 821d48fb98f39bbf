const SLAB = 2 * 1024 * 1024;
const FIRST_SLAB = 64 * 1024;

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

  /** Starts small: most connections of a server are silent. */
  #next(size: number): void {
    this.#offset = 0;
    if (this.#slab.length >= SLAB) return;
    this.#slab = new Uint8Array(Math.max(size, this.#slab.length === 0 ? FIRST_SLAB : SLAB));
  }
}

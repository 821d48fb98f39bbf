/** Datagrams (RFC 9221) that wait to be sent or read. Bounded in bytes: the oldest goes first, and is counted. */
export class DatagramQueue {
  readonly #queue: Uint8Array[] = [];
  readonly #maxBytes: number;
  #bytes = 0;
  dropped = 0;

  constructor(maxBytes: number = 64 * 1024) {
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#queue.length;
  }

  push(datagram: Uint8Array): void {
    this.#queue.push(datagram);
    this.#bytes += datagram.length;
    while (this.#bytes > this.#maxBytes && this.#queue.length > 1) {
      this.shift();
      this.dropped++;
    }
  }

  peek(): Uint8Array | undefined {
    return this.#queue[0];
  }

  shift(): Uint8Array | undefined {
    const first = this.#queue.shift();
    this.#bytes -= first?.length ?? 0;
    return first;
  }
}

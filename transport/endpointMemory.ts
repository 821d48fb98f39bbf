import { type ConnectionMemory, MemoryAccount, MemoryPool } from "./memory.js";
import type { TransportParameters } from "./params.js";

/** Bytes. */
const DEFAULT_LIMIT = 256 * 1024 * 1024;
const LEAST = 16 * 1024 * 1024;

/** Bytes that the connections of an endpoint hold, of those that came and of those to be sent; the limit is for both together. */
export interface MemoryStats {
  readonly limit: number;
  readonly receiving: number;
  readonly sending: number;
  /** Frames that were not taken for want of memory; their senders send them again. */
  readonly refused: number;
}

/** What all connections of an endpoint may hold. Half is for each direction, so that neither can stop the other. */
export class EndpointMemory {
  readonly #limit: number;
  readonly #receiving: MemoryPool;
  readonly #sending: MemoryPool;

  /** Throws RangeError for less than 16 MiB. */
  constructor(limit: number = DEFAULT_LIMIT) {
    if (!(limit >= LEAST)) throw new RangeError(`memoryLimit: at least ${LEAST} bytes, got ${limit}`);
    this.#limit = limit;
    this.#receiving = new MemoryPool(limit / 2);
    this.#sending = new MemoryPool(limit / 2);
  }

  get stats(): MemoryStats {
    const { used, refused } = this.#receiving;
    return { limit: this.#limit, receiving: used, sending: this.#sending.used, refused };
  }

  open(): ConnectionMemory {
    return { receiving: new MemoryAccount(this.#receiving), sending: new MemoryAccount(this.#sending) };
  }

  /** What a new connection may be promised now. */
  promise(parameters: TransportParameters): TransportParameters {
    const { credit } = this.#receiving;
    return parameters.maxData <= credit ? parameters : { ...parameters, maxData: credit };
  }
}

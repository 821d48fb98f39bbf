import { AsyncQueue } from "#kernel/asyncQueue.js";
import type { Discovery, Host } from "./discoveryPort.js";
import type { Target } from "./target.js";

/** A device on the network. `pairing`: its person has opened the window. */
export interface FoundDevice extends Target {
  readonly instance: string;
  readonly pairing: boolean;
  readonly tag: Uint8Array | undefined;
}

/** Devices as discovery finds them, and again when they change. */
export class Discovered implements AsyncIterable<FoundDevice> {
  readonly #discovery: Discovery;
  readonly #signal: AbortSignal | undefined;

  constructor(discovery: Discovery, signal: AbortSignal | undefined) {
    this.#discovery = discovery;
    this.#signal = signal;
  }

  /** The first device that can be paired with; rejects with the signal's reason when none comes in time. */
  async first(): Promise<FoundDevice> {
    for await (const device of this) if (device.pairing) return device;
    this.#signal?.throwIfAborted();
    throw new Error("discovery ended");
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<FoundDevice> {
    const queue = new AsyncQueue<FoundDevice>();
    const onFound = (host: Host): void => queue.push(deviceFrom(host));
    const end = (): void => queue.end();
    this.#signal?.addEventListener("abort", end, { once: true });
    if (this.#signal?.aborted) end();
    const browse = this.#discovery.browse({ onFound, onUpdated: onFound });
    try {
      yield* queue;
    } finally {
      browse.close();
      this.#signal?.removeEventListener("abort", end);
    }
  }
}

function deviceFrom(host: Host): FoundDevice {
  const { instance, name, pairing, tag, port } = host;
  return { instance, name, pairing, tag, addresses: host.addresses.map((address) => ({ host: address, port })) };
}

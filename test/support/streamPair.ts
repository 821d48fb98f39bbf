import { AsyncQueue } from "#kernel/asyncQueue.js";
import type { ByteStream } from "#kernel/ports.js";

/** Two ends of a reliable stream in memory. `cut` breaks it, as a lost connection does. */
export function streamPair(): { a: ByteStream; b: ByteStream; cut: () => void; bytes: () => number } {
  const queues = [new AsyncQueue<Uint8Array>(), new AsyncQueue<Uint8Array>()] as const;
  let broken = false;
  let bytes = 0;
  const cut = (): void => {
    broken = true;
    for (const queue of queues) queue.end();
  };
  const end = (incoming: AsyncQueue<Uint8Array>, outgoing: AsyncQueue<Uint8Array>): ByteStream => ({
    async write(chunk) {
      if (broken) throw new Error("the stream is broken");
      bytes += chunk.length;
      outgoing.push(chunk);
      await new Promise((resolve) => setImmediate(resolve));
    },
    async read() {
      const chunk = await incoming.take();
      if (!chunk && broken) throw new Error("the stream is broken");
      return chunk;
    },
    async end() {
      outgoing.end();
    },
    reset: cut,
  });
  return { a: end(queues[0], queues[1]), b: end(queues[1], queues[0]), cut, bytes: () => bytes };
}

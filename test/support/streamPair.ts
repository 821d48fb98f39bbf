import { AsyncQueue } from "#kernel/asyncQueue.js";
import { Gate } from "#kernel/gate.js";
import type { ByteStream } from "#kernel/ports.js";

/** Chunks on their way in one direction, before a writer waits. */
const WINDOW = 8;

/** Two ends of a reliable stream in memory. `cut` breaks it, as a lost connection does; `cutAfter` does so after so many more bytes. */
export function streamPair(): {
  a: ByteStream;
  b: ByteStream;
  cut: () => void;
  cutAfter: (bytes: number) => void;
  bytes: () => number;
} {
  const queues = [new AsyncQueue<Uint8Array>(), new AsyncQueue<Uint8Array>()] as const;
  const moved = new Gate();
  let broken = false;
  let bytes = 0;
  let limit = Number.POSITIVE_INFINITY;
  const cut = (): void => {
    broken = true;
    for (const queue of queues) queue.end();
    moved.open();
  };
  const end = (incoming: AsyncQueue<Uint8Array>, outgoing: AsyncQueue<Uint8Array>): ByteStream => ({
    async write(chunk) {
      bytes += chunk.length;
      if (bytes > limit) cut();
      if (broken) throw new Error("the stream is broken");
      outgoing.push(chunk);
      while (outgoing.size > WINDOW && !broken) await moved.wait();
    },
    async read() {
      const chunk = await incoming.take();
      moved.open();
      if (!chunk && broken) throw new Error("the stream is broken");
      return chunk;
    },
    async end() {
      outgoing.end();
    },
    reset: cut,
  });
  return {
    a: end(queues[0], queues[1]),
    b: end(queues[1], queues[0]),
    cut,
    cutAfter: (more) => {
      limit = bytes + more;
    },
    bytes: () => bytes,
  };
}

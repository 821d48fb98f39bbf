import type { Stream } from "./stream.js";

const QUANTUM = 16 * 1024;
const LEVELS = 8;

/** Streams that have something to send: the most urgent level first, within it turns of 16 KiB. */
export class SendQueue {
  readonly #levels: Set<Stream>[] = Array.from({ length: LEVELS }, () => new Set<Stream>());
  #spent = 0;

  some(holds: (stream: Stream) => boolean): boolean {
    return this.next(holds) !== undefined;
  }

  /** Puts the stream in or takes it out. */
  update(stream: Stream, wantsToSend: boolean): void {
    const level = this.#level(stream);
    if (wantsToSend) level?.add(stream);
    else for (const other of this.#levels) other.delete(stream);
  }

  /** The stream whose turn it is and for which `canSend` holds. */
  next(canSend: (stream: Stream) => boolean): Stream | undefined {
    for (const level of this.#levels) for (const stream of level) if (canSend(stream)) return stream;
    return undefined;
  }

  /** Counts what the stream was given; after its quantum the next one of the level has its turn. */
  onSent(stream: Stream, bytes: number): void {
    this.#spent += bytes;
    if (this.#spent < QUANTUM) return;
    this.#spent = 0;
    const level = this.#level(stream);
    if (level?.delete(stream)) level.add(stream);
  }

  #level(stream: Stream): Set<Stream> | undefined {
    return this.#levels[Math.min(Math.max(Math.trunc(stream.priority), 0), LEVELS - 1)];
  }
}

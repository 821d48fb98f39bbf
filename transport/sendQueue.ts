import type { Stream } from "./stream.js";

const QUANTUM = 16 * 1024;
const LEVELS = 8;

/** Streams that have something to send: the most urgent level first, within it turns of 16 KiB. */
export class SendQueue {
  /** A level exists once a stream was on it: most sessions are silent most of the time. */
  readonly #levels: (Set<Stream> | undefined)[] = new Array<undefined>(LEVELS).fill(undefined);
  #spent = 0;

  some(holds: (stream: Stream) => boolean): boolean {
    return this.next(holds) !== undefined;
  }

  get empty(): boolean {
    return this.#levels.every((level) => level === undefined || level.size === 0);
  }

  /** Puts the stream in or takes it out. */
  update(stream: Stream, wantsToSend: boolean): void {
    const level = wantsToSend ? levelOf(stream) : undefined;
    if (stream.queuedAt === level) return;
    if (stream.queuedAt !== undefined) this.#levels[stream.queuedAt]?.delete(stream);
    stream.queuedAt = level;
    if (level === undefined) return;
    this.#levels[level] ??= new Set();
    this.#levels[level].add(stream);
  }

  /** The stream whose turn it is and for which `canSend` holds. */
  next(canSend: (stream: Stream) => boolean): Stream | undefined {
    for (const level of this.#levels) if (level) for (const stream of level) if (canSend(stream)) return stream;
    return undefined;
  }

  /** Counts what the stream was given; after its quantum the next one of the level has its turn. */
  onSent(stream: Stream, bytes: number): void {
    this.#spent += bytes;
    if (this.#spent < QUANTUM) return;
    this.#spent = 0;
    const level = this.#levels[stream.queuedAt ?? levelOf(stream)];
    if (level?.delete(stream)) level.add(stream);
  }
}

function levelOf(stream: Stream): number {
  return Math.min(Math.max(Math.trunc(stream.priority), 0), LEVELS - 1);
}

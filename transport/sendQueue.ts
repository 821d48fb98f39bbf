import type { Stream } from "./stream.js";

const QUANTUM = 16 * 1024;
const LEVELS = 8;

/**
 * Streams that have something to send: the most urgent level first, within it turns of 16 KiB.
 * Who is next is found without a look at the others, with credit of the connection and without.
 */
export class SendQueue {
  readonly #all = new Levels("queuedAt");
  /** Of these, those that need no credit of the connection: bytes that were lost, or only an end. */
  readonly #creditless = new Levels("creditlessAt");
  #spent = 0;

  get empty(): boolean {
    return this.#all.first === undefined;
  }

  /** Call when a stream has changed: puts it in or takes it out. */
  update(stream: Stream): void {
    const { sending } = stream;
    this.#all.put(stream, sending?.wantsToSend(Number.POSITIVE_INFINITY) === true);
    this.#creditless.put(stream, sending?.wantsToSend(0) === true);
  }

  /** The stream whose turn it is when the connection may send `credit` bytes that are new. */
  next(credit: number): Stream | undefined {
    const levels = credit > 0 ? this.#all : this.#creditless;
    for (let stream = levels.first; stream; stream = levels.first) {
      if (stream.sending?.wantsToSend(credit)) return stream;
      // What it had to say was acknowledged meanwhile.
      levels.put(stream, false);
    }
    return undefined;
  }

  /** Counts what the stream was given; after its quantum the next one of the level has its turn. */
  onSent(stream: Stream, bytes: number): void {
    this.#spent += bytes;
    if (this.#spent < QUANTUM) return;
    this.#spent = 0;
    this.#all.toEnd(stream);
    this.#creditless.toEnd(stream);
  }
}

/** Streams by urgency; a level exists once a stream was on it: most sessions are silent most of the time. */
class Levels {
  readonly #place: "queuedAt" | "creditlessAt";
  #levels: (Set<Stream> | undefined)[] | undefined;

  /** `place`: where a stream keeps the level that it stands in. */
  constructor(place: "queuedAt" | "creditlessAt") {
    this.#place = place;
  }

  get first(): Stream | undefined {
    if (!this.#levels) return undefined;
    for (const level of this.#levels) if (level && level.size > 0) for (const stream of level) return stream;
    return undefined;
  }

  put(stream: Stream, belongs: boolean): void {
    const from = stream[this.#place];
    const to = belongs ? levelOf(stream) : undefined;
    if (from === to) return;
    stream[this.#place] = to;
    if (from !== undefined) this.#levels?.[from]?.delete(stream);
    if (to === undefined) return;
    this.#levels ??= new Array<undefined>(LEVELS).fill(undefined);
    this.#levels[to] ??= new Set();
    this.#levels[to].add(stream);
  }

  toEnd(stream: Stream): void {
    const level = this.#levels?.[stream[this.#place] ?? LEVELS];
    if (level?.delete(stream)) level.add(stream);
  }
}

function levelOf(stream: Stream): number {
  return Math.min(Math.max(Math.trunc(stream.priority), 0), LEVELS - 1);
}

import type { Address } from "#kernel/ports.js";
import type { SeededRandom } from "../simulation/seededRandom.js";
import { type ChannelEnd, CLIENT, SERVER } from "./channel.js";
import { type Recorded, STATES, stillAlive } from "./hostileStates.js";

const STRANGER: Address = { host: "10.0.0.66", port: 6666 };
const LARGEST = 65_507;
const LONG = 1500;
/** Of the random bytes a datagram is filled from: drawing each anew would cost more than the product does. */
const NOISE = 1 << 16;
/** In these states all that was heard has arrived as well, and may be played back. */
const ARRIVED: readonly string[] = ["live", "rekeyed"];
/** Datagrams for each virtual millisecond: no timer comes due, no bucket fills up again. */
const PER_MS = 20_000;

export interface Walk {
  readonly kept: readonly Uint8Array[];
  readonly dropped: number;
  readonly answered: number;
}

/**
 * `cases` mutated datagrams for both ends of a channel in this state, from anybody. Each has to be a counted drop, or to get an
 * answer that is no larger than itself. `corpus`: those that once led to a kind of drop that no other did.
 */
export async function walkDatagrams(
  state: string,
  cases: number,
  random: SeededRandom,
  corpus: readonly Uint8Array[],
): Promise<Walk> {
  const story = await (STATES[state] ?? (() => Promise.reject(new Error(state))))(5);
  // A Cookie's first byte is no part of what is sealed: a second copy of a good one is good, and changes nothing.
  const quiet = state === "loaded";
  const ends = [new Watched(story.world.server, quiet), new Watched(story.world.client, quiet)] as const;
  const start = story.world.clock.now();
  for (const { end } of ends) while (end.endpoint.nextDatagram(start)) {}
  const mutator = new Mutator(story, random, [...corpus], ARRIVED.includes(state));
  const places = new Set<string>();
  let answered = 0;
  for (let i = 0; i < cases; i++) {
    const bytes = i < corpus.length ? mutator.take(corpus[i] ?? new Uint8Array()) : mutator.next();
    const watched = ends[random.integer(2)] ?? ends[0];
    const from = [STRANGER, CLIENT, SERVER][random.integer(3)] ?? STRANGER;
    const first = (bytes[0] ?? 0) >> 4;
    // Opened in place: what is kept must be what came.
    const copy = places.size < 500 ? bytes.slice() : bytes;
    const place = `${first} ${watched.hit(bytes, from, start + i / PER_MS)}`;
    if (watched.answered > 0) answered++;
    if (places.has(place)) continue;
    places.add(place);
    if (copy.length <= LONG) mutator.kept.push(copy.slice());
  }
  if (ARRIVED.includes(state)) await stillAlive(story.world);
  return { kept: mutator.kept, dropped: cases - answered, answered };
}

/** One end, and what it does about a datagram. */
class Watched {
  readonly end: ChannelEnd;
  answered = 0;
  readonly #quiet: boolean;
  #drops: Readonly<Record<string, number>>;

  constructor(end: ChannelEnd, quiet: boolean) {
    this.end = end;
    this.#quiet = quiet;
    this.#drops = { ...end.endpoint.drops };
  }

  /** The reason for which it was dropped, or "answered". Throws when it was neither. */
  hit(bytes: Uint8Array, from: Address, now: number): string {
    const { endpoint } = this.end;
    const { length } = bytes;
    endpoint.receive(bytes, from, now);
    this.answered = 0;
    for (let next = endpoint.nextDatagram(now); next; next = endpoint.nextDatagram(now))
      this.answered += next.bytes.length;
    if (this.answered > length) throw new Error(`${this.answered} bytes in answer to ${length}`);
    const drops = endpoint.drops as unknown as Readonly<Record<string, number>>;
    let reason = this.answered > 0 ? "answered" : "";
    for (const name in drops) if (drops[name] !== this.#drops[name]) reason = name;
    this.#drops = drops;
    if (reason === "" && !this.#quiet)
      throw new Error(`neither dropped nor answered: ${Buffer.from(bytes).toString("hex")}`);
    return reason;
  }
}

/** Makes hostile datagrams out of what was heard, in one buffer that is used over and over. */
class Mutator {
  readonly kept: Uint8Array[];
  readonly #sent: readonly Uint8Array[];
  readonly #random: SeededRandom;
  readonly #noise: Uint8Array;
  readonly #out = new Uint8Array(LARGEST);
  readonly #replays: boolean;

  constructor({ sent }: Recorded, random: SeededRandom, kept: Uint8Array[], replays: boolean) {
    this.#sent = sent.map(({ bytes }) => bytes.slice());
    this.#random = random;
    this.#noise = random.bytes(NOISE);
    this.kept = kept;
    this.#replays = replays;
  }

  /** An input as it is. */
  take(input: Uint8Array): Uint8Array {
    this.#out.set(input);
    return this.#out.subarray(0, input.length);
  }

  next(): Uint8Array {
    for (;;) {
      const base = this.#base();
      const bytes = this.#mutated(base);
      // What was cut off the wire and never arrived is the real thing, not an attack.
      if (this.#replays || !this.#sent.some((real) => same(real, bytes))) return bytes;
    }
  }

  #base(): Uint8Array {
    const random = this.#random;
    const list = this.#sent.length > 0 && random.chance(0.8) ? this.#sent : this.kept;
    return list[random.integer(list.length)] ?? this.#fill(new Uint8Array(0), 0, 60);
  }

  #mutated(base: Uint8Array): Uint8Array {
    const random = this.#random;
    const out = this.#out;
    let { length } = base;
    if (out !== base) out.set(base);
    switch (random.integer(8)) {
      case 0:
        length = random.integer(LONG);
        this.#fill(out, 0, length);
        if (random.chance(0.7)) out[0] = 0x40 | ((out[0] ?? 0) & 0xbf);
        // A connection ID that exists leads on.
        if (random.chance(0.5) && base.length > 9) out.set(base.subarray(1, 9), 1);
        break;
      case 1:
        length = random.integer(length + 1);
        break;
      case 2: {
        const more = random.chance(0.001) ? LARGEST - length : 1 + random.integer(100);
        this.#fill(out, length, more);
        length += more;
        break;
      }
      case 3: // replayed, or reflected to its own sender
        break;
      case 4: {
        const other = this.#base();
        const at = random.integer(Math.min(length, other.length) + 1);
        out.set(other.subarray(at), at);
        length = other.length;
        break;
      }
      default:
        for (let flips = 1 + random.integer(3); flips > 0 && length > 0; flips--) {
          // The head decides most.
          const at = random.integer(random.chance(0.5) ? Math.min(length, 30) : length);
          out[at] = (out[at] ?? 0) ^ (1 << random.integer(8));
        }
    }
    return out.subarray(0, length);
  }

  #fill(out: Uint8Array, at: number, length: number): Uint8Array {
    const target = out.length === 0 ? new Uint8Array(length) : out;
    for (let done = 0; done < length; ) {
      const from = this.#random.integer(NOISE);
      const part = this.#noise.subarray(from, from + length - done);
      target.set(part, at + done);
      done += part.length;
    }
    return target;
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

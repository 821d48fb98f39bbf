import type { ConnectionStats } from "#transport/connectionStats.js";
import type { Session } from "#transport/session.js";
import type { ChannelWorld } from "./channel.js";

const PIECE = new Uint8Array(64 * 1024);

/** What a stretch of a transfer was like. */
export interface Stretch {
  /** Bytes a millisecond that the other end has read. */
  readonly rate: number;
  /** Of the packets that were sent: given up, and given up although they arrived. */
  readonly lost: number;
  readonly spurious: number;
  /** Stream bytes sent again, of those that arrived. */
  readonly resent: number;
}

/** One stream that never ends, and what has come of it. */
export class Flood {
  received = 0;
  /** When the newest bytes were read. */
  lastAt = 0;
  readonly #world: ChannelWorld;
  readonly #from: Session;
  #over = false;

  constructor(world: ChannelWorld, from: Session, to: Session) {
    this.#world = world;
    this.#from = from;
    void this.#read(to);
    void this.#write();
  }

  /** Lets it run for so long. */
  async run(ms: number): Promise<Stretch> {
    const before = { received: this.received, stats: this.#from.stats() };
    const { clock } = this.#world;
    await clock.runUntilAsync(() => false, ms);
    const after = this.#from.stats();
    const more = (name: keyof ConnectionStats): number => Number(after[name]) - Number(before.stats[name]);
    const bytes = this.received - before.received;
    const packets = Math.max(1, more("packetsSent"));
    return {
      rate: bytes / ms,
      lost: more("packetsLost") / packets,
      spurious: more("spuriousLosses") / packets,
      resent: more("bytesResent") / Math.max(1, bytes),
    };
  }

  /** Until the next bytes are read; how long that took. */
  async next(limitMs: number): Promise<number> {
    const start = this.#world.clock.now();
    const { received } = this;
    await this.#world.clock.runUntilAsync(() => this.received > received, limitMs);
    return this.#world.clock.now() - start;
  }

  end(): void {
    this.#over = true;
  }

  async #write(): Promise<void> {
    try {
      const stream = await this.#from.openStream({ unidirectional: true });
      while (!this.#over) await stream.write(PIECE);
    } catch {
      // The session has ended: its own tests say whether it should.
    }
  }

  async #read(to: Session): Promise<void> {
    try {
      for await (const stream of to.incomingStreams())
        for (let bytes = await stream.read(); bytes; bytes = await stream.read()) {
          this.received += bytes.length;
          this.lastAt = this.#world.clock.now();
        }
    } catch {
      // As above.
    }
  }
}

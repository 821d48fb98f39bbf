/** One piece of work for two processes. */
export interface Work {
  readonly kind: "bulk" | "echo" | "endless";
  /** "bulk": bytes to move. Otherwise ignored. */
  readonly bytes: number;
  /** "echo": how often to connect. */
  readonly times: number;
  readonly host: string;
  readonly port: number;
  /** Where the client binds. */
  readonly from: string;
  /** Settings of the peer alone. */
  readonly settings: Readonly<Record<string, string | number>>;
}

/** Named numbers that end up in the figure. */
export type Measured = Record<string, number>;

/** One way to move bytes, as a server process and a client process run it. */
export interface Peer {
  /** Resolves with the port once it listens. Moves on by itself from then on, and tells of bytes that arrive. */
  serve(work: Work, received: (bytes: number) => void): Promise<number>;
  /**
   * "bulk": moves the bytes, gives `seconds`. "echo": gives `connectMs`, the median until the first echoed byte.
   * "endless": sends until somebody ends the process.
   */
  run(work: Work): Promise<Measured>;
}

const MIB = 1024 * 1024;
const PIECE = 64 * 1024;

/** What a piece of work sends. */
export function bytesOf(work: Work): number {
  return work.kind === "endless" ? Number.POSITIVE_INFINITY : work.bytes;
}

/** The bytes of a transfer in pieces of 64 KiB: random, so that nothing on the way can compress them. */
export function* pieces(random: Uint8Array, total: number): Generator<Uint8Array> {
  for (let sent = 0; sent < total; sent += PIECE) {
    const at = sent % (random.length - PIECE);
    yield random.subarray(at, at + Math.min(PIECE, total - sent));
  }
}

export const RANDOM_BYTES: number = MIB + PIECE;

/** "echo": how long to wait before each connect. */
export const PAUSE_MS = 60;

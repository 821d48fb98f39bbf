/** Monotonic time in milliseconds. Its zero means nothing; only differences do. */
export type Instant = number;

/** What the portable code is given instead of a platform. */
export interface Clock {
  /** Monotonic milliseconds, may be fractional. */
  now(): Instant;
  /** Milliseconds since 1970 by the wall clock: for display and for the age of stored things, never for timeouts. */
  wall(): number;
  /** Calls `callback` once after `delayMs` (0: as soon as possible, after pending input). Returns the way to cancel it. */
  schedule(delayMs: number, callback: () => void): () => void;
}

/** `length` cryptographically secure random bytes, in a new array. */
export type RandomSource = (length: number) => Uint8Array;

/** One end of a UDP conversation as the socket sees it. IPv6 link-local addresses keep their zone (`fe80::1%eth0`). */
export interface Address {
  readonly host: string;
  readonly port: number;
}

export function sameAddress(a: Address, b: Address): boolean {
  return a === b || (a.port === b.port && a.host === b.host);
}

export interface OutgoingDatagram {
  readonly bytes: Uint8Array;
  readonly to: Address;
}

/** An unreliable socket. `send` never throws: what cannot be sent is lost, as on any network. */
export interface DatagramSocket {
  readonly port: number;
  /** The system still holds bytes of earlier sends: better wait a millisecond. Absent: it never does. */
  readonly congested?: boolean;
  /** Bytes that the system has not taken yet. Absent: nobody knows. */
  readonly queuedBytes?: number;
  /** The caller reuses `bytes` soon: after a mebibyte of later sends that were begun while not `congested`. */
  send(bytes: Uint8Array, to: Address): void;
  /** The bytes belong to the receiver from then on. One listener. */
  onDatagram(listener: (bytes: Uint8Array, from: Address) => void): void;
  close(): Promise<void>;
}

/** The five verbs of every protocol machine; `nextEvent` is typed by the machine itself. */
export interface Machine {
  receive(bytes: Uint8Array, from: Address, now: Instant): void;
  tick(now: Instant): void;
  /** When `tick` wants to be called next; undefined: never, until something else happens. */
  readonly deadline: Instant | undefined;
  /** Drain until undefined after every other call. */
  nextDatagram(now: Instant): OutgoingDatagram | undefined;
  /** What answers a datagram may wait until the application has heard of it: its own words ride along. */
  readonly answersWait?: boolean;
}

/** A reliable, ordered, two-way byte stream: what sync, tunnels and applications talk over. */
export interface ByteStream {
  /** False: this end only reads, or only writes. */
  readonly sends?: boolean;
  readonly receives?: boolean;
  /** Resolves when the bytes are taken and the send buffer has room again. The bytes must not be changed afterwards. */
  write(bytes: Uint8Array): Promise<void>;
  /** The next bytes, at least one, or undefined after the peer's end. Rejects when the stream was reset or the session died. */
  read(): Promise<Uint8Array | undefined>;
  /** No more bytes from us. Resolves when all are handed over to the transport. */
  end(): Promise<void>;
  /** Drops both directions at once. */
  reset(code?: number): void;
}

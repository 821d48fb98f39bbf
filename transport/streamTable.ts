import { TRANSPORT_ERROR, TransportError } from "./errors.js";
import type { ConnectionMemory } from "./memory.js";
import { ReceiveSide } from "./receiveSide.js";
import { SendSide } from "./sendSide.js";
import { isOpenedByInitiator, isUnidirectional, Stream } from "./stream.js";

/** What a stream costs before it carries a byte. */
const STREAM_COST = 2048;

/** What the two ends allowed each other: counts of streams, bytes a stream. */
export interface StreamLimits {
  readonly localStreamWindow: number;
  readonly maxStreamWindow: number;
  readonly localMaxStreams: { readonly bidi: number; readonly uni: number };
  readonly peerMaxStreams: { readonly bidi: number; readonly uni: number };
  /** The peer's windows for streams that it opens, that we open, and that go one way. */
  readonly peerStreamWindow: { readonly theirs: number; readonly ours: number; readonly uni: number };
}

interface Direction {
  /** Streams of this kind we opened, and how many the peer allows. */
  opened: number;
  allowed: number;
  /** Streams of this kind the peer opened, how many we allow, how many are done. */
  accepted: number;
  granted: number;
  closed: number;
  readonly initialGrant: number;
  grantDue: boolean;
  /** Somebody wanted to open one and may not yet. */
  wanted: boolean;
}

/** All streams of a connection: ids, limits, opening and forgetting (RFC 9000 §2, §4.6). */
export class StreamTable {
  readonly #initiator: boolean;
  readonly #limits: StreamLimits;
  readonly #memory: ConnectionMemory;
  readonly #onChange: (stream: Stream) => void;
  readonly #streams = new Map<number, Stream>();
  readonly #bidi: Direction;
  readonly #uni: Direction;
  readonly #incoming: Stream[] = [];
  #settled: Stream[] | undefined;

  constructor(initiator: boolean, limits: StreamLimits, memory: ConnectionMemory, onChange: (stream: Stream) => void) {
    this.#memory = memory;
    this.#initiator = initiator;
    this.#limits = limits;
    this.#onChange = onChange;
    this.#bidi = direction(limits.peerMaxStreams.bidi, limits.localMaxStreams.bidi);
    this.#uni = direction(limits.peerMaxStreams.uni, limits.localMaxStreams.uni);
  }

  get size(): number {
    return this.#streams.size;
  }

  get(id: number): Stream | undefined {
    return this.#streams.get(id);
  }

  all(): IterableIterator<Stream> {
    return this.#streams.values();
  }

  /** A new stream of ours, or undefined while the peer allows no more. */
  open(unidirectional: boolean, waits: boolean): Stream | undefined {
    const kind = unidirectional ? this.#uni : this.#bidi;
    if (kind.opened >= kind.allowed) {
      kind.wanted ||= waits;
      return undefined;
    }
    kind.wanted = false;
    const id = kind.opened++ * 4 + (unidirectional ? 2 : 0) + (this.#initiator ? 0 : 1);
    return this.#create(id);
  }

  /** Nobody waits any longer for leave to open one. */
  stopWaiting(unidirectional: boolean): void {
    (unidirectional ? this.#uni : this.#bidi).wanted = false;
  }

  /** The next stream that the peer opened and nobody has taken yet. */
  accept(): Stream | undefined {
    return this.#incoming.length > 0 ? this.#incoming.shift() : undefined;
  }

  /** A stream that was forgotten since it was asked last. */
  takeSettled(): Stream | undefined {
    return this.#settled?.shift();
  }

  /** The stream a frame about the peer's sending half names; undefined: long over, or no memory for it. Throws TransportError. */
  forReceiving(id: number): Stream | undefined {
    if (isUnidirectional(id) && this.#isOurs(id)) throw wrongState("data on a stream that only we may send on");
    return this.#lookup(id);
  }

  /** The stream a frame about our sending half names. */
  forSending(id: number): Stream | undefined {
    if (isUnidirectional(id) && !this.#isOurs(id))
      throw wrongState("credit for a stream that only the peer may send on");
    return this.#lookup(id);
  }

  /** True when streams may be opened that could not before. */
  raiseLimit(unidirectional: boolean, limit: number): boolean {
    const kind = unidirectional ? this.#uni : this.#bidi;
    if (limit > 2 ** 50) throw new TransportError(TRANSPORT_ERROR.FRAME_ENCODING_ERROR, "A stream limit is too large.");
    if (limit <= kind.allowed) return false;
    kind.allowed = limit;
    kind.wanted = false;
    return true;
  }

  /** The peer's limit that keeps us from opening a stream of this kind, if one does. */
  blockedAt(unidirectional: boolean): number | undefined {
    const { wanted, allowed } = unidirectional ? this.#uni : this.#bidi;
    return wanted ? allowed : undefined;
  }

  /** The peer waits for leave to open streams; if we have given it, it was lost. */
  onPeerBlocked(unidirectional: boolean, limit: number): void {
    const kind = unidirectional ? this.#uni : this.#bidi;
    if (kind.granted > limit) kind.grantDue = true;
  }

  /** Forgets a stream whose two halves are settled; frames that still arrive for it are ignored. */
  forgetIfSettled(stream: Stream): boolean {
    if (!stream.settled || !this.#streams.delete(stream.id)) return false;
    this.#settled ??= [];
    this.#settled.push(stream);
    this.#memory.receiving.change(-STREAM_COST);
    if (!this.#isOurs(stream.id)) {
      const kind = isUnidirectional(stream.id) ? this.#uni : this.#bidi;
      kind.closed++;
      if (kind.closed + kind.initialGrant - kind.granted >= kind.initialGrant / 2) kind.grantDue = true;
    }
    return true;
  }

  /** The connection is over: nothing is sent any more, and only what came in order is of use to anybody. */
  discard(): void {
    for (const { sending } of this.#streams.values()) sending?.discard();
    this.#memory.receiving.change(-STREAM_COST * this.#streams.size);
    this.#streams.clear();
  }

  /** The MAX_STREAMS to announce, when enough of the peer's streams are over. */
  grantDue(unidirectional: boolean): boolean {
    return (unidirectional ? this.#uni : this.#bidi).grantDue;
  }

  grant(unidirectional: boolean): number {
    const kind = unidirectional ? this.#uni : this.#bidi;
    kind.granted = kind.initialGrant + kind.closed;
    kind.grantDue = false;
    return kind.granted;
  }

  onGrantLost(unidirectional: boolean): void {
    (unidirectional ? this.#uni : this.#bidi).grantDue = true;
  }

  #lookup(id: number): Stream | undefined {
    const known = this.#streams.get(id);
    if (known) return known;
    const kind = isUnidirectional(id) ? this.#uni : this.#bidi;
    const index = Math.floor(id / 4);
    if (this.#isOurs(id)) {
      if (index >= kind.opened) throw wrongState("a stream that was never opened");
      return undefined;
    }
    if (index >= kind.granted)
      throw new TransportError(TRANSPORT_ERROR.STREAM_LIMIT_ERROR, "The peer opened more streams than it may.");
    if (index < kind.accepted) return undefined;
    if (!this.#memory.receiving.admits((index + 1 - kind.accepted) * STREAM_COST)) return undefined;
    // RFC 9000 §3.2: opening a stream opens all of its kind with lower numbers.
    for (let i = kind.accepted; i <= index; i++) this.#incoming.push(this.#create(i * 4 + (id & 3)));
    kind.accepted = index + 1;
    return this.#streams.get(id);
  }

  #create(id: number): Stream {
    const ours = this.#isOurs(id);
    const oneWay = isUnidirectional(id);
    const { peerStreamWindow: peer, localStreamWindow, maxStreamWindow } = this.#limits;
    const credit = oneWay ? peer.uni : ours ? peer.ours : peer.theirs;
    const sending = oneWay && !ours ? undefined : new SendSide(credit, this.#memory.sending);
    const receiving =
      oneWay && ours ? undefined : new ReceiveSide(localStreamWindow, maxStreamWindow, this.#memory.receiving);
    const stream = new Stream(id, sending, receiving, this.#onChange);
    this.#streams.set(id, stream);
    this.#memory.receiving.change(STREAM_COST);
    return stream;
  }

  #isOurs(id: number): boolean {
    return isOpenedByInitiator(id) === this.#initiator;
  }
}

function direction(allowed: number, granted: number): Direction {
  return { opened: 0, allowed, accepted: 0, granted, closed: 0, initialGrant: granted, grantDue: false, wanted: false };
}

function wrongState(what: string): TransportError {
  return new TransportError(TRANSPORT_ERROR.STREAM_STATE_ERROR, `The peer broke the rules of streams: ${what}.`);
}

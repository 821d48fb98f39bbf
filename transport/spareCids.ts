import { equalConstantTime } from "#kernel/bytes.js";
import { cidKey } from "./connectionId.js";
import { TRANSPORT_ERROR, TransportError } from "./errors.js";

/** Active connection IDs we give a peer, if it takes so many: the one in use and one for the next network. */
const OFFERED = 2;
/** Of a peer's: RFC 9000 §5.1.1, as our parameters say. */
export const ACTIVE_CIDS = 4;
const MAX_RETIRING = 64;

interface RemoteCid {
  readonly sequence: number;
  readonly cid: Uint8Array;
  readonly token: Uint8Array;
}

export interface NewCid extends RemoteCid {
  /** The peer must leave all IDs below this one. */
  readonly retirePrior: number;
}

export interface SpareCidsOptions {
  /** The connection IDs of the handshake. */
  readonly localCid: Uint8Array;
  readonly remoteCid: Uint8Array;
  /** How many of ours the peer keeps. */
  readonly peerLimit: number;
  /** A new ID of ours that leads here from now on, with its reset token. */
  readonly allocate: () => { readonly cid: Uint8Array; readonly token: Uint8Array };
  readonly release: (cid: Uint8Array) => void;
  /** We send to this ID of the peer's from now on. */
  readonly onRemote: (remote: { readonly cid: Uint8Array; readonly token: Uint8Array | undefined }) => void;
}

/** Connection IDs beyond those of the handshake, so that a move to another network cannot be linked: RFC 9000 §5.1, §9.5. */
export class SpareCids {
  readonly #options: SpareCidsOptions;
  readonly #local = new Map<number, Uint8Array>();
  #issued = 1;
  /** The highest number that the peer can know. */
  #told = 0;
  #inUseLocal: number;
  #changeDue = false;
  /** We have asked the peer to change: that it does so is no sign of a move. */
  #renewing = false;
  #remote: { readonly sequence: number; readonly cid: Uint8Array };
  /** Few, in order; arrays, because most sessions never use them. */
  readonly #spare: RemoteCid[] = [];
  #retiredBelow = 0;
  readonly #toAnnounce: NewCid[] = [];
  readonly #unacknowledged: NewCid[] = [];
  readonly #toRetire: number[] = [];

  constructor(options: SpareCidsOptions) {
    this.#options = options;
    this.#local.set(0, options.localCid);
    this.#inUseLocal = cidKey(options.localCid);
    this.#remote = { sequence: 0, cid: options.remoteCid };
  }

  /** There is a NEW_CONNECTION_ID or RETIRE_CONNECTION_ID to send. */
  get due(): boolean {
    return this.#toAnnounce.length > 0 || this.#toRetire.length > 0;
  }

  /** Offers the peer as many as it should have. Not before it has proved itself. */
  offer(): void {
    while (this.#local.size < Math.min(OFFERED, this.#options.peerLimit)) this.#issue(0);
  }

  /** Gives the peer a fresh ID and asks it to leave all others: somebody sends forgeries to the one in use. */
  renew(): void {
    this.#renewing = true;
    this.#issue(this.#issued);
  }

  /** The newest packet came to this ID of ours. Another one than before: the peer has moved on purpose (RFC 9000 §9.5). */
  onArrival(key: number): void {
    if (key === this.#inUseLocal) return;
    this.#inUseLocal = key;
    this.#changeDue = !this.#renewing;
    this.#renewing = false;
  }

  /** What to send to while the peer's new address is being asked: an ID that the old address has not seen. */
  get probing(): Uint8Array {
    return (this.#changeDue ? this.#spare[0] : undefined)?.cid ?? this.#remote.cid;
  }

  /** The peer is at another address now. */
  onMoved(): void {
    if (this.#changeDue) this.change();
    this.#changeDue = false;
  }

  /** Sends to another ID of the peer's from now on. False when it has given us none. */
  change(): boolean {
    const next = this.#spare.shift();
    if (!next) return false;
    this.#retire(this.#remote.sequence);
    this.#remote = next;
    this.#options.onRemote(next);
    return true;
  }

  takeAnnouncement(): NewCid | undefined {
    const next = this.#toAnnounce.shift();
    if (!next) return undefined;
    this.#told = Math.max(this.#told, next.sequence);
    this.#unacknowledged.push(next);
    return next;
  }

  takeRetirement(): number | undefined {
    return this.#toRetire.shift();
  }

  onAnnouncementAcked(sequence: number): void {
    take(this.#unacknowledged, sequence);
  }

  onAnnouncementLost(sequence: number): void {
    const known = take(this.#unacknowledged, sequence);
    if (known && this.#local.has(sequence)) this.#toAnnounce.push(known);
  }

  onRetirementLost(sequence: number): void {
    this.#retire(sequence);
  }

  /** Throws TransportError. */
  onNew(sequence: number, retirePrior: number, cid: Uint8Array, token: Uint8Array): void {
    if (retirePrior > sequence)
      throw new TransportError(TRANSPORT_ERROR.FRAME_ENCODING_ERROR, "The peer retires an ID that it is giving us.");
    const known =
      sequence === this.#remote.sequence ? this.#remote : this.#spare.find((one) => one.sequence === sequence);
    if (known && !equalConstantTime(known.cid, cid))
      throw new TransportError(TRANSPORT_ERROR.PROTOCOL_VIOLATION, "The peer gave one number to two connection IDs.");
    this.#retiredBelow = Math.max(this.#retiredBelow, retirePrior);
    if (!known && sequence > this.#remote.sequence) this.#keep({ sequence, cid: cid.slice(), token: token.slice() });
    for (const old of [...this.#spare]) if (old.sequence < this.#retiredBelow) this.#drop(old.sequence);
    if (this.#remote.sequence < this.#retiredBelow) this.change();
    if (this.#spare.length >= ACTIVE_CIDS || this.#toRetire.length > MAX_RETIRING)
      throw new TransportError(TRANSPORT_ERROR.CONNECTION_ID_LIMIT_ERROR, "The peer gave us too many connection IDs.");
  }

  /** The peer will not send to this ID of ours any more. Throws TransportError. */
  onRetire(sequence: number): void {
    // Also one that still waits to be sent: otherwise a peer could make us issue without end.
    if (sequence > this.#told)
      throw new TransportError(TRANSPORT_ERROR.PROTOCOL_VIOLATION, "The peer retires an ID that it never got.");
    const cid = this.#local.get(sequence);
    if (!cid) return;
    this.#local.delete(sequence);
    take(this.#toAnnounce, sequence);
    take(this.#unacknowledged, sequence);
    this.offer();
    this.#options.release(cid);
  }

  #issue(retirePrior: number): void {
    const fresh = { sequence: this.#issued++, retirePrior, ...this.#options.allocate() };
    this.#local.set(fresh.sequence, fresh.cid);
    this.#toAnnounce.push(fresh);
  }

  #keep(fresh: RemoteCid): void {
    if (fresh.sequence < this.#retiredBelow) this.#retire(fresh.sequence);
    else this.#spare.push(fresh);
  }

  #drop(sequence: number): void {
    take(this.#spare, sequence);
    this.#retire(sequence);
  }

  #retire(sequence: number): void {
    if (!this.#toRetire.includes(sequence)) this.#toRetire.push(sequence);
  }
}

/** Takes the ID with this sequence number out. */
function take<Cid extends RemoteCid>(list: Cid[], sequence: number): Cid | undefined {
  const at = list.findIndex((one) => one.sequence === sequence);
  return at < 0 ? undefined : list.splice(at, 1)[0];
}

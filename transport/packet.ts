import type { RandomSource } from "#kernel/ports.js";
import { ReplayWindow } from "#kernel/replayWindow.js";
import { TRANSPORT_ERROR, TransportError } from "./errors.js";
import type { PacketKeys, TrafficKeys } from "./keys.js";

/** Bytes before the ciphertext: b0 1, DCID 8, packet number 4. PROTOCOL.md §1. */
export const DATA_HEADER = 13;
export const TAG = 16;
export const DATA_OVERHEAD: number = DATA_HEADER + TAG;
/** A smaller packet could not be answered by a restarted peer with a reset (RFC 9000 §10.3). */
export const MIN_PACKET = 44;
const DCID_AT = 1;
const NUMBER_AT = 9;
const TWO_32 = 0x1_0000_0000;
/** Packet numbers are exact JavaScript numbers, with room to spare. */
const MAX_NUMBER = 2 ** 48;
/** Scratch of all connections: nothing in it outlives a call. */
const NONCE = new Uint8Array(12);
const MASK = new Uint8Array(5);
const HEADER = new Uint8Array(DATA_HEADER);
const NO_BYTES = new Uint8Array(0);
/** Random bytes drawn at a time, at first and later: a session that says nothing should cost nothing. */
const FIRST_GREASE = 16;
const GREASE = 512;

export interface OpenedPacket {
  readonly packetNumber: number;
  readonly epoch: number;
  readonly payload: Uint8Array;
}

/** Why data packets were dropped. */
export interface PacketDrops {
  short: number;
  epoch: number;
  duplicate: number;
  forged: number;
}

interface Epoch {
  readonly number: number;
  readonly keys: TrafficKeys;
  /** Lowest packet number seen in this epoch. */
  lowest: number;
}

/**
 * Seals and opens data packets of one connection, over all its epochs: the current one, the next one once it is installed
 * (we can receive it before we send in it), and the previous one until it is erased.
 */
export class PacketProtection {
  readonly drops: PacketDrops = { short: 0, epoch: 0, duplicate: 0, forged: 0 };
  /** The number of the packet that was last dropped as a duplicate; nothing proves that it is authentic. */
  duplicateNumber: number = -1;
  /** The peer's connection ID that packets are sent to. */
  remoteCid: Uint8Array;
  readonly #random: RandomSource;
  readonly #window = new ReplayWindow();
  #previous: Epoch | undefined;
  #current: Epoch;
  #next: Epoch | undefined;
  #sendsNext = false;
  /** Grease bits for first bytes, drawn many at a time. */
  #grease: Uint8Array = NO_BYTES;
  #greaseAt = 0;

  constructor(input: { readonly keys: TrafficKeys; readonly remoteCid: Uint8Array; readonly random: RandomSource }) {
    this.#current = { number: 0, keys: input.keys, lowest: Number.POSITIVE_INFINITY };
    this.remoteCid = input.remoteCid;
    this.#random = input.random;
  }

  /** The epoch we send in. */
  get sendEpoch(): number {
    return this.#sendsNext && this.#next ? this.#next.number : this.#current.number;
  }

  /** The keys of epoch n+1 are there: packets of it can be opened from now on. */
  installNext(keys: TrafficKeys): void {
    this.#next = { number: this.#current.number + 1, keys, lowest: Number.POSITIVE_INFINITY };
    this.#sendsNext = false;
  }

  /** From now on we send in epoch n+1. */
  sendInNext(): void {
    this.#sendsNext = true;
  }

  /** The peer has proved that it holds epoch n+1: it becomes the current one, the old one can still be received. */
  promote(): void {
    if (!this.#next) return;
    this.#previous = this.#current;
    this.#current = this.#next;
    this.#next = undefined;
    this.#sendsNext = false;
  }

  /** Late packets of the old epoch are refused from now on. */
  erasePrevious(): void {
    erase(this.#previous);
    this.#previous = undefined;
  }

  /** The connection is over: no key stays in memory. */
  erase(): void {
    for (const epoch of [this.#previous, this.#current, this.#next]) erase(epoch);
  }

  /**
   * Seals in place: the frames are already at `out[offset + DATA_HEADER]`, `payloadLength` bytes of them, with TAG bytes of
   * room after them. Returns the bytes of the whole packet.
   */
  seal(out: Uint8Array, offset: number, payloadLength: number, packetNumber: number): number {
    if (packetNumber >= MAX_NUMBER)
      throw new TransportError(TRANSPORT_ERROR.AEAD_LIMIT_REACHED, "This connection has sent too many packets.");
    const epoch = this.#sendsNext && this.#next ? this.#next : this.#current;
    const { aead, iv, mask } = epoch.keys.send;
    out[offset] = 0x40 | ((epoch.number & 3) << 4) | this.#nextGrease();
    out.set(this.remoteCid, offset + DCID_AT);
    writeNumber(out, offset + NUMBER_AT, packetNumber);
    const payloadAt = offset + DATA_HEADER;
    const header = out.subarray(offset, payloadAt);
    this.#setNonce(iv, packetNumber);
    aead.seal(NONCE, header, out.subarray(payloadAt, payloadAt + payloadLength), out, payloadAt);
    mask(out, MASK, payloadAt);
    applyMask(out, offset, MASK);
    return DATA_HEADER + payloadLength + TAG;
  }

  /**
   * Opens a datagram whose DCID is ours. Undefined, and counted, when it is not authentic or was seen before.
   * Throws TransportError when an authentic packet breaks the rules of epochs. Only the last TAG bytes of `datagram` stay as they were.
   */
  open(datagram: Uint8Array): OpenedPacket | undefined {
    if (datagram.length < MIN_PACKET) {
      this.drops.short++;
      return undefined;
    }
    const epoch = this.#epochFor(((datagram[0] ?? 0) >> 4) & 3);
    if (!epoch) {
      this.drops.epoch++;
      return undefined;
    }
    const keys = epoch.keys.receive;
    const header = HEADER;
    for (let i = 0; i < DATA_HEADER; i++) header[i] = datagram[i] ?? 0;
    keys.mask(datagram, MASK, DATA_HEADER);
    applyMask(header, 0, MASK);
    const packetNumber = expandNumber(readNumber(header, NUMBER_AT), this.#window.highest);
    if (!this.#window.check(packetNumber)) {
      this.drops.duplicate++;
      this.duplicateNumber = packetNumber;
      return undefined;
    }
    const payload = this.#decrypt(keys, packetNumber, header, datagram);
    if (!payload) return undefined;
    this.#window.accept(packetNumber);
    this.#checkOrder(epoch, packetNumber);
    return { packetNumber, epoch: epoch.number, payload };
  }

  #decrypt(keys: PacketKeys, number: number, header: Uint8Array, datagram: Uint8Array): Uint8Array | undefined {
    this.#setNonce(keys.iv, number);
    // In place where the back end can. The tag, which may be a reset token (RFC 9000 §10.3), stays as it is.
    const out = datagram.subarray(DATA_HEADER, datagram.length - TAG);
    const payload = keys.aead.open(NONCE, header, datagram.subarray(DATA_HEADER), out);
    if (!payload) this.drops.forged++;
    return payload;
  }

  /** RFC 9001 §6.4: no packet of an older epoch may have a higher number than one of a newer epoch. */
  #checkOrder(epoch: Epoch, number: number): void {
    epoch.lowest = Math.min(epoch.lowest, number);
    const newer = epoch === this.#previous ? this.#current : epoch === this.#current ? this.#next : undefined;
    if (newer && number > newer.lowest)
      throw new TransportError(TRANSPORT_ERROR.KEY_UPDATE_ERROR, "The peer went back to old keys.");
  }

  #epochFor(bits: number): Epoch | undefined {
    if ((this.#current.number & 3) === bits) return this.#current;
    if (this.#next && (this.#next.number & 3) === bits) return this.#next;
    return this.#previous && (this.#previous.number & 3) === bits ? this.#previous : undefined;
  }

  #setNonce(iv: Uint8Array, number: number): void {
    NONCE.set(iv);
    xorNumber(NONCE, 8, number >>> 0);
    if (number >= TWO_32) xorNumber(NONCE, 4, Math.floor(number / TWO_32));
  }

  #nextGrease(): number {
    if (this.#greaseAt === this.#grease.length) {
      this.#grease = this.#random(this.#grease.length === 0 ? FIRST_GREASE : GREASE);
      this.#greaseAt = 0;
    }
    return (this.#grease[this.#greaseAt++] ?? 0) & 0x0f;
  }
}

/** Which of the counters was raised. */
export function dropReason(
  datagram: Uint8Array,
  drops: PacketDrops,
  forged: number,
  duplicate: number,
): keyof PacketDrops {
  if (datagram.length < MIN_PACKET) return "short";
  if (drops.forged > forged) return "forged";
  return drops.duplicate > duplicate ? "duplicate" : "epoch";
}

function erase(epoch: Epoch | undefined): void {
  epoch?.keys.send.erase();
  epoch?.keys.receive.erase();
}

/** Header protection: the low bits of byte 0 and the packet number; the epoch and the DCID stay clear. */
function applyMask(bytes: Uint8Array, offset: number, mask: Uint8Array): void {
  bytes[offset] = (bytes[offset] ?? 0) ^ ((mask[0] ?? 0) & 0x0f);
  for (let i = 0; i < 4; i++) {
    const at = offset + NUMBER_AT + i;
    bytes[at] = (bytes[at] ?? 0) ^ (mask[i + 1] ?? 0);
  }
}

function xorNumber(bytes: Uint8Array, at: number, number: number): void {
  bytes[at] = (bytes[at] ?? 0) ^ (number >>> 24);
  bytes[at + 1] = (bytes[at + 1] ?? 0) ^ (number >>> 16);
  bytes[at + 2] = (bytes[at + 2] ?? 0) ^ (number >>> 8);
  bytes[at + 3] = (bytes[at + 3] ?? 0) ^ number;
}

function writeNumber(out: Uint8Array, at: number, number: number): void {
  const low = number >>> 0;
  out[at] = low >>> 24;
  out[at + 1] = low >>> 16;
  out[at + 2] = low >>> 8;
  out[at + 3] = low;
}

function readNumber(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  return high * 0x1_0000 + (((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0));
}

/** RFC 9000 appendix A.3 for 32 bits: the number nearest to the one expected next. */
export function expandNumber(truncated: number, highest: number): number {
  const expected = highest + 1;
  const candidate = expected - (expected % TWO_32) + truncated;
  if (candidate <= expected - TWO_32 / 2) return candidate + TWO_32;
  if (candidate > expected + TWO_32 / 2 && candidate >= TWO_32) return candidate - TWO_32;
  return candidate;
}

import { ByteReader, ByteWriter } from "#kernel/varint.js";
import { TRANSPORT_ERROR, TransportError } from "./errors.js";

/** One message of a rekey handshake inside CRYPTO frames: `u8 type | u32 epoch | u16 length | noise`. PROTOCOL.md §4. */
export interface RekeyMessage {
  readonly type: 1 | 2;
  readonly epoch: number;
  readonly noise: Uint8Array;
}

const HEAD = 7;
const MAX_NOISE = 256;
const NO_BYTES = new Uint8Array(0);

export function encodeRekeyMessage(message: RekeyMessage): Uint8Array {
  const out = new ByteWriter(new Uint8Array(HEAD + message.noise.length));
  out.u8(message.type);
  out.u32(message.epoch);
  out.u16(message.noise.length);
  out.put(message.noise);
  return out.bytes;
}

/** Cuts the ordered CRYPTO bytes into messages. Throws KEY_UPDATE_ERROR for what cannot be one. */
export class RekeyReader {
  #pending: Uint8Array = NO_BYTES;

  push(bytes: Uint8Array): void {
    const joined = new Uint8Array(this.#pending.length + bytes.length);
    joined.set(this.#pending);
    joined.set(bytes, this.#pending.length);
    this.#pending = joined;
  }

  next(): RekeyMessage | undefined {
    if (this.#pending.length < HEAD) return undefined;
    const reader = new ByteReader(this.#pending);
    const type = reader.u8();
    const epoch = reader.u32();
    const length = reader.u16();
    if ((type !== 1 && type !== 2) || length > MAX_NOISE)
      throw new TransportError(TRANSPORT_ERROR.KEY_UPDATE_ERROR, "The peer sent a key message that we cannot read.");
    if (reader.remaining < length) return undefined;
    const noise = reader.take(length).slice();
    this.#pending = reader.remaining === 0 ? NO_BYTES : this.#pending.slice(reader.offset);
    return { type, epoch, noise };
  }
}

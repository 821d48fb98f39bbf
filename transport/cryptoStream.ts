import { TRANSPORT_ERROR, TransportError } from "./errors.js";
import { Reassembly } from "./reassembly.js";
import { SendBuffer } from "./sendBuffer.js";

const MAX_BUFFER = 4096;

/** The ordered bytes of CRYPTO frames in both directions: rekey handshakes (PROTOCOL.md §4). */
export class CryptoStream {
  readonly sending: SendBuffer = new SendBuffer();
  readonly #received = new Reassembly();

  /** Returns the bytes that are in order now. Throws CRYPTO_BUFFER_EXCEEDED. */
  receive(offset: number, data: Uint8Array): Uint8Array | undefined {
    if (offset + data.length - this.#received.consumed > MAX_BUFFER)
      throw new TransportError(TRANSPORT_ERROR.CRYPTO_BUFFER_EXCEEDED, "The peer sent too much key material at once.");
    this.#received.insert(offset, data);
    return this.#received.take(MAX_BUFFER);
  }
}

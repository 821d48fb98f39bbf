import type { Crypto, KeyPair } from "#crypto/crypto.js";
import { hkdf } from "#crypto/hkdf.js";
import { concat, equalConstantTime, utf8 } from "#kernel/bytes.js";
import type { RandomSource } from "#kernel/ports.js";
import { TRANSPORT_ERROR, TransportError } from "./errors.js";
import { INIT_HEAD, NoiseInitiator, NoiseResponder } from "./noise.js";
import type { NoiseResult } from "./noiseState.js";
import type { RekeyMessage } from "./rekeyMessages.js";

const EMPTY = new Uint8Array(0);

export interface RekeyHandshakeOptions {
  readonly crypto: Crypto;
  readonly random: RandomSource;
  readonly own: KeyPair;
  readonly peerStatic: Uint8Array;
  /** The bond's secret, 32 bytes; only what is derived from it is kept. */
  readonly psk: Uint8Array;
  readonly handshakeHash: Uint8Array;
  /** Exporter secret of epoch 0; taken over and erased with the epoch. */
  readonly exporter: Uint8Array;
}

/**
 * The two messages of a rekey and the keys they make: PROTOCOL.md §4.
 * Its psk mixes the bond's secret and the old epoch's exporter, so breaking the channel alone does not break the next epoch.
 */
export class RekeyHandshake {
  readonly #options: Omit<RekeyHandshakeOptions, "psk" | "exporter">;
  readonly #lock: Uint8Array;
  #exporter: Uint8Array;

  constructor({ psk, exporter, ...options }: RekeyHandshakeOptions) {
    this.#options = options;
    this.#lock = hkdf(options.crypto, { salt: EMPTY, inputKey: psk, info: utf8("hf rekey lock"), length: 32 });
    this.#exporter = exporter;
  }

  /** Message 1. Throws TransportError. */
  start(epoch: number): { readonly noise: NoiseInitiator; readonly message: RekeyMessage } {
    const { crypto, own, peerStatic, random } = this.#options;
    const ephemeral = crypto.x25519KeyPair(random(32));
    const noise = new NoiseInitiator({ crypto, prologue: this.#prologue(epoch), own, ephemeral, peerStatic });
    const message = noise.writeInit(EMPTY);
    if (!message) throw violation("the peer's static key is unusable");
    return { noise, message: { type: 1, epoch, noise: message } };
  }

  /** Message 2 to the peer's message 1. Throws TransportError. */
  answer({ epoch, noise: init }: RekeyMessage): { readonly result: NoiseResult; readonly message: RekeyMessage } {
    const { crypto, own, peerStatic, random } = this.#options;
    const noise = new NoiseResponder({ crypto, prologue: this.#prologue(epoch), own });
    const claimed = noise.readStatic(init.subarray(0, INIT_HEAD));
    if (!claimed || !equalConstantTime(claimed, peerStatic)) throw violation("a rekey by somebody else");
    if (!noise.readPayload(init.subarray(INIT_HEAD))) throw violation("a rekey that is not authentic");
    const answer = noise.writeResponse(EMPTY, crypto.x25519KeyPair(random(32)), this.#psk(epoch));
    if (!answer) throw violation("an unusable key");
    return { result: answer.result, message: { type: 2, epoch, noise: answer.message } };
  }

  /** The peer's message 2 to the message 1 of `noise`. Throws TransportError. */
  finish(noise: NoiseInitiator, message: RekeyMessage): NoiseResult {
    const read = noise.readResponse(message.noise, this.#psk(message.epoch));
    if (!read) throw violation("an answer that is not authentic");
    return read.result;
  }

  /** Both ends hold the new epoch: the next rekey rests on its exporter. */
  advance(exporter: Uint8Array): void {
    this.#exporter.fill(0);
    this.#exporter = exporter;
  }

  #psk(epoch: number): Uint8Array {
    const info = concat(utf8("hf rekey"), u32(epoch));
    return hkdf(this.#options.crypto, { salt: this.#lock, inputKey: this.#exporter, info, length: 32 });
  }

  #prologue(epoch: number): Uint8Array {
    return concat(utf8("handfast/1 rekey"), this.#options.handshakeHash, u32(epoch));
  }
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

export function violation(what: string): TransportError {
  return new TransportError(TRANSPORT_ERROR.KEY_UPDATE_ERROR, `Renewing the keys failed: ${what}.`);
}

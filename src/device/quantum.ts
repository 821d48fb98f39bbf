import type { Crypto } from "#crypto/crypto.js";
import { hkdf } from "#crypto/hkdf.js";
import { concat, utf8 } from "#kernel/bytes.js";
import { HandfastError } from "#kernel/errors.js";
import type { ByteStream, RandomSource } from "#kernel/ports.js";

/** Pairing feature bits: what this device does with a bond. Bit 0: the ML-KEM exchange of PROTOCOL.md §6. */
export const UPGRADE_ML_KEM = 1;
export const OWN_UPGRADES: number = UPGRADE_ML_KEM;

/** How long the first session may take to make the secret safe against a later quantum computer. */
export const EXCHANGE_MS = 10_000;
const OFFER = 1;
const ANSWER = 2;
const PUBLIC_KEY = 1184;
const CIPHERTEXT = 1088;

/** Both sides promised the exchange, and it did not come about: no session, and the bond stays as it was. */
export class QuantumMissingError extends HandfastError {
  override readonly name = "QuantumMissingError";
  constructor() {
    super(
      "PQ_MISSING",
      "The two devices could not finish the step that protects this pairing against later quantum computers, although both support it. Connect again; if this stays, update Handfast on both.",
    );
  }
}

/** The handshake whose secret the exchange strengthens. */
interface Handshake {
  readonly crypto: Crypto;
  readonly random: RandomSource;
  /** The bond secret it used, 32 bytes, and its exporter. */
  readonly psk: Uint8Array;
  readonly exporter: Uint8Array;
}

/** The client's side: returns the new secret. Throws QuantumMissingError. */
export async function offerExchange(handshake: Handshake, stream: ByteStream): Promise<Uint8Array> {
  const { crypto, random } = handshake;
  const pair = crypto.mlKem768.keyPair(random(64));
  await stream.write(concat(Uint8Array.of(OFFER), pair.public));
  await stream.end();
  const ciphertext = await readMessage(stream, ANSWER, CIPHERTEXT);
  const shared = crypto.mlKem768.decapsulate(pair.secret, ciphertext);
  pair.secret.fill(0);
  if (!shared) throw new QuantumMissingError();
  return mixedSecret(handshake, shared, pair.public, ciphertext);
}

/** The server's side: the new secret, and `answer` to call when it is on disk. Throws QuantumMissingError. */
export async function acceptExchange(
  handshake: Handshake,
  stream: ByteStream,
): Promise<{ readonly secret: Uint8Array; readonly answer: () => Promise<void> }> {
  const { crypto, random } = handshake;
  const publicKey = await readMessage(stream, OFFER, PUBLIC_KEY);
  const sealed = crypto.mlKem768.encapsulate(publicKey, random(32));
  if (!sealed) throw new QuantumMissingError();
  const answer = async (): Promise<void> => {
    await stream.write(concat(Uint8Array.of(ANSWER), sealed.ciphertext));
    await stream.end();
  };
  return { secret: mixedSecret(handshake, sealed.shared, publicKey, sealed.ciphertext), answer };
}

/** One message and the end of the stream, nothing more. */
async function readMessage(stream: ByteStream, type: number, length: number): Promise<Uint8Array> {
  let message: Uint8Array = new Uint8Array(0);
  for (let bytes = await stream.read(); bytes; bytes = await stream.read()) {
    message = concat(message, bytes);
    if (message.length > 1 + length) break;
  }
  if (message.length !== 1 + length || message[0] !== type) throw new QuantumMissingError();
  return message.slice(1);
}

function mixedSecret(
  { crypto, psk, exporter }: Handshake,
  shared: Uint8Array,
  publicKey: Uint8Array,
  ciphertext: Uint8Array,
): Uint8Array {
  const info = concat(utf8("hf1 pq"), crypto.sha256(publicKey, ciphertext));
  return hkdf(crypto, { salt: concat(psk, exporter), inputKey: shared, info, length: 32 });
}

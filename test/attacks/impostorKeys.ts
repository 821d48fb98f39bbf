import type { Crypto, KeyPair } from "#crypto/crypto.js";
import { hkdf, hkdfExpand, hkdfExtract } from "#crypto/hkdf.js";
import { concat, utf8 } from "#kernel/bytes.js";
import { type CborValue, decodeCbor, encodeCbor } from "#kernel/cbor.js";
import { f5, f6 } from "#pairing/toolbox.js";

/** What one side of a pairing has heard and said. */
export interface Talk {
  readonly pid: Uint8Array;
  readonly featuresA: Uint8Array;
  readonly featuresB: Uint8Array;
  readonly na: Uint8Array;
  readonly nb: Uint8Array;
  /** The exact datagrams that the transcript covers. */
  readonly transcript: readonly Uint8Array[];
  /** The secret r of each side: zero in numeric comparison. */
  readonly ra?: Uint8Array;
  readonly rb?: Uint8Array;
  /** Out of band: what the transcript begins with, and SMP's OOB flag of each side. */
  readonly prefix?: Uint8Array;
  readonly outOfBand?: readonly [number, number];
}

/** The pairing's keys, worked out by the attacker from PROTOCOL.md alone, with none of the product's key code. */
export class ImpostorKeys {
  readonly checkA: Uint8Array;
  readonly checkB: Uint8Array;
  readonly #crypto: Crypto;
  readonly #master: Uint8Array;
  readonly #transcriptHash: Uint8Array;

  constructor(crypto: Crypto, own: KeyPair, peerPublic: Uint8Array, talk: Talk) {
    const dhKey = crypto.p256SharedSecret(own, peerPublic);
    if (!dhKey) throw new Error("the attacker's key pair does not fit this peer");
    const zero = new Uint8Array(16);
    const { ra = zero, rb = zero, prefix = new Uint8Array(0), outOfBand = [0, 0] } = talk;
    const address = (label: string, features: Uint8Array): Uint8Array =>
      concat(Uint8Array.of(0x48), crypto.sha256(utf8(label), features, talk.pid).slice(0, 6));
    const [a1, a2] = [address("hf1 addr I", talk.featuresA), address("hf1 addr R", talk.featuresB)];
    const { macKey, ltk } = f5(crypto, { w: dhKey, n1: talk.na, n2: talk.nb, a1, a2 });
    const ioCap = (features: Uint8Array, oob: number): Uint8Array => Uint8Array.of(0x0d, oob, numberIn(features, 2));
    const [ioCapA, ioCapB] = [ioCap(talk.featuresA, outOfBand[0]), ioCap(talk.featuresB, outOfBand[1])];
    this.#crypto = crypto;
    this.checkA = f6(crypto, { w: macKey, n1: talk.na, n2: talk.nb, r: rb, ioCap: ioCapA, a1, a2 });
    this.checkB = f6(crypto, {
      ...{ w: macKey, n1: talk.nb, n2: talk.na, r: ra },
      ...{ ioCap: ioCapB, a1: a2, a2: a1 },
    });
    const lengthAndBytes = talk.transcript.flatMap((bytes) => [
      Uint8Array.of(bytes.length >> 8, bytes.length & 0xff),
      bytes,
    ]);
    this.#transcriptHash = crypto.sha256(utf8("handfast/1 pair"), prefix, ...lengthAndBytes);
    this.#master = hkdfExtract(crypto, this.#transcriptHash, concat(dhKey, ltk));
  }

  seal(direction: "hf1 ir" | "hf1 ri", who: { staticPublic: Uint8Array; irk: Uint8Array }): Uint8Array {
    const plaintext = encodeCbor(
      new Map<number, CborValue>([
        [0, who.staticPublic],
        [1, who.irk],
      ]),
    );
    const out = new Uint8Array(plaintext.length + 16);
    this.#aead(direction).seal(new Uint8Array(12), this.#transcriptHash, plaintext, out, 0);
    return out;
  }

  /** The static key inside, when the attacker can read it. */
  open(direction: "hf1 ir" | "hf1 ri", sealed: Uint8Array): Uint8Array | undefined {
    const plaintext = this.#aead(direction).open(new Uint8Array(12), this.#transcriptHash, sealed);
    const map = plaintext && decodeCbor(plaintext);
    const key = map instanceof Map ? map.get(0) : undefined;
    return key instanceof Uint8Array ? key : undefined;
  }

  psk(staticI: Uint8Array, staticR: Uint8Array): Uint8Array {
    const inputKey = concat(staticI, staticR);
    return hkdf(this.#crypto, { salt: this.#master, inputKey, info: utf8("hf1 bond psk"), length: 32 });
  }

  #aead(direction: string): ReturnType<Crypto["aead"]> {
    return this.#crypto.aead(hkdfExpand(this.#crypto, this.#master, utf8(direction), 32));
  }
}

/** An integer in a feature map, read without the product's checks. */
export function numberIn(features: Uint8Array, key: number): number {
  const map = decodeCbor(features);
  const value = map instanceof Map ? map.get(key) : undefined;
  return typeof value === "number" ? value : 0;
}

/** The same feature map with one entry replaced. */
export function withFeature(features: Uint8Array, key: number, value: CborValue): Uint8Array {
  const map = decodeCbor(features);
  if (!(map instanceof Map)) throw new Error("these are no features");
  return encodeCbor(new Map<number, CborValue>([...map, [key, value]]));
}

import type { Crypto, KeyPair } from "#crypto/crypto.js";
import type { Address, RandomSource } from "#kernel/ports.js";
import { freshKeyPair } from "./exchange.js";
import { linkText, makeLink } from "./link.js";
import { MODEL, type Model } from "./models.js";
import type { OutOfBand } from "./outOfBand.js";
import { drawPasskey, passkeyLetters } from "./passkey.js";

/** How the responder's person lets a device in: chosen at this screen, never by the other side. */
export type ResponderMethod =
  | { readonly kind: "compare" }
  | { readonly kind: "code" }
  /** `addresses`: where the one who scans it can reach us. */
  | { readonly kind: "link"; readonly addresses: readonly Address[] }
  | { readonly kind: "secret"; readonly secret: Uint8Array };

export type MethodKind = ResponderMethod["kind"];

export type InvitationEvent =
  /** Show these letters; they replace those before. */
  | { readonly type: "letters"; readonly letters: string }
  /** Show this link, as text or as a QR code; it replaces the one before. */
  | { readonly type: "link"; readonly link: string };

/** What an open window holds ready for one device: letters, a link, a secret, or nothing but digits to come. Each is good for one attempt. */
export class Invitation {
  readonly kind: MethodKind;
  readonly model: Model;
  readonly #crypto: Crypto;
  readonly #random: RandomSource;
  readonly #method: ResponderMethod;
  /** The letters on the screen that no attempt has taken. */
  passkey: number | undefined;
  outOfBand: OutOfBand | undefined;
  /** A link is made for this key pair. */
  linkPair: KeyPair | undefined;

  constructor(crypto: Crypto, random: RandomSource, method: ResponderMethod) {
    this.kind = method.kind;
    this.model = MODELS[method.kind];
    this.#crypto = crypto;
    this.#random = random;
    this.#method = method;
    if (method.kind === "secret") this.outOfBand = method;
  }

  /** New letters, or a new link; what to show. */
  renew(): InvitationEvent | undefined {
    if (this.#method.kind === "code") {
      this.passkey = drawPasskey(this.#random);
      return { type: "letters", letters: passkeyLetters(this.passkey) };
    }
    if (this.#method.kind !== "link") return undefined;
    this.end();
    this.linkPair = freshKeyPair(this.#crypto, this.#random);
    const link = makeLink(this.#crypto, this.#random, this.linkPair, this.#method.addresses);
    this.outOfBand = { kind: "link", link };
    return { type: "link", link: linkText(link) };
  }

  /** An attempt has begun with it. */
  taken(): void {
    this.passkey = undefined;
  }

  end(): void {
    this.passkey = undefined;
    this.linkPair?.secret.fill(0);
    this.linkPair = undefined;
    this.outOfBand = undefined;
  }
}

const MODELS: Record<MethodKind, Model> = {
  compare: MODEL.numeric,
  code: MODEL.passkey,
  link: MODEL.outOfBand,
  secret: MODEL.outOfBand,
};

import type { Crypto } from "#crypto/crypto.js";
import { ReadyKeyPair } from "#crypto/readyKeyPair.js";
import { equalConstantTime } from "#kernel/bytes.js";
import { encodeCbor } from "#kernel/cbor.js";
import type { Address, Instant } from "#kernel/ports.js";
import { freshKeyPair, isAcceptableKey } from "./exchange.js";
import { type Features, featuresOf, PAIRING_VERSION } from "./features.js";
import type { Invitation } from "./invitation.js";
import { encodeMessage, type Message, type MessageOf, STEP, TYPE } from "./messages.js";
import { traitsOf } from "./models.js";
import { hintOf } from "./outOfBand.js";
import { PairingCookies } from "./pairingCookie.js";
import { REASON } from "./reasons.js";
import type { PairingResponderOptions, ResponderDrops } from "./responderEvents.js";
import { ResponderSession } from "./responderSession.js";
import type { PairingWindow } from "./window.js";

/** What a stranger's datagram leads to: an answer that leaves nothing behind, an attempt, or a counted drop. */
export type Reception = { readonly answer: Uint8Array } | ResponderSession | { readonly drop: keyof ResponderDrops };

/** Before there is an attempt: cookie first, nothing is remembered or computed before it comes back. PROTOCOL.md §5. */
export class ResponderDoor {
  readonly keyPairs: ReadyKeyPair;
  readonly #options: PairingResponderOptions;
  readonly #window: PairingWindow;
  readonly #cookies: PairingCookies;

  constructor(options: PairingResponderOptions, window: PairingWindow) {
    this.#options = options;
    this.#window = window;
    this.#cookies = new PairingCookies(options.crypto, options.random);
    this.keyPairs = new ReadyKeyPair(() => freshKeyPair(options.crypto, options.random));
  }

  /** `busy`: another attempt holds the slot, and nobody else is to be heard. */
  receive(
    message: Message,
    datagram: Uint8Array,
    from: Address,
    now: Instant,
    { invitation, busy }: { readonly invitation: Invitation | undefined; readonly busy: boolean },
  ): Reception {
    if (!this.#window.isOpen && !this.#window.isLocked(now)) return { drop: "closed" };
    if (message.type === TYPE.HELLO) {
      const cookie = this.#cookies.make(from, message.pid, message.bodyHash, now);
      return { answer: encodeMessage({ type: TYPE.RETRY, pid: message.pid, seq: STEP.hello, cookie }) };
    }
    if (message.type !== TYPE.START) return { drop: "unexpected" };
    const bodyHash = this.#options.crypto.sha256(encodeCbor([message.features, message.publicKey]));
    if (!this.#cookies.check(message.cookie, from, message.pid, bodyHash, now)) return { drop: "cookie" };
    const { pid } = message;
    const refuse = (reason: number, retryAfter = 0): Reception => ({
      answer: encodeMessage({ type: TYPE.ABORT, pid, seq: STEP.start, reason, retryAfter }),
    });
    if (this.#window.isLocked(now) || !invitation) return refuse(REASON.REPEATED_ATTEMPTS);
    const secondsLeft = this.#window.waitSeconds(now);
    // A person who tries again waits a little and is told so; nothing is remembered meanwhile.
    if (secondsLeft > 0)
      return { answer: encodeMessage({ type: TYPE.WAIT, pid, seq: STEP.start, user: 0, secondsLeft }) };
    if (busy) return refuse(REASON.BUSY, 1);
    const admitted = this.#admit(message, datagram, from, now, invitation);
    return "refuse" in admitted ? refuse(admitted.refuse) : admitted;
  }

  #admit(
    message: MessageOf<"START">,
    start: Uint8Array,
    from: Address,
    now: Instant,
    invitation: Invitation,
  ): ResponderSession | { readonly refuse: number } {
    const { crypto, random, identity } = this.#options;
    const parsedA = admissible(crypto, invitation, identity.appId, message);
    if ("refuse" in parsedA) return parsedA;
    const keyPair = invitation.linkPair ?? this.keyPairs.next();
    if (!isAcceptableKey(crypto, message.publicKey, keyPair.public)) return { refuse: REASON.KEY_REJECTED };
    if (!invitation.linkPair) this.keyPairs.taken();
    const { model, outOfBand } = invitation;
    const admitted = { crypto, random, identity, model, outOfBand, keyPair, message, start, parsedA, from, now };
    return new ResponderSession(admitted);
  }
}

/** What START must say to be let in, apart from its key: the same way as this screen's, in a version and for an application that we are. */
function admissible(
  crypto: Crypto,
  { model, outOfBand }: Invitation,
  appId: string,
  { features, hint }: MessageOf<"START">,
): Features | { readonly refuse: number } {
  const parsed = featuresOf(features, false);
  if (!parsed) return { refuse: REASON.INVALID_PARAMETERS };
  if (!parsed.versions.includes(PAIRING_VERSION)) return { refuse: REASON.VERSION };
  // The person at this screen chose the model; there is nothing to negotiate.
  if (parsed.models !== model || parsed.io !== traitsOf(model).ioInitiator)
    return { refuse: REASON.AUTHENTICATION_REQUIREMENTS };
  if (parsed.appId !== appId) return { refuse: REASON.OTHER_APPLICATION };
  const expected = outOfBand ? hintOf(crypto, outOfBand) : new Uint8Array(0);
  return equalConstantTime(hint, expected) ? parsed : { refuse: REASON.OOB_NOT_AVAILABLE };
}

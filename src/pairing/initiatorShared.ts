import { equalConstantTime } from "#kernel/bytes.js";
import type { Instant } from "#kernel/ports.js";
import { conversation } from "./conversation.js";
import {
  bondIdOf,
  bondSecret,
  type Conversation,
  deriveKeys,
  isAcceptableKey,
  isUsableStatic,
  openIdentity,
  sealIdentity,
} from "./exchange.js";
import { featuresOf, PAIRING_VERSION } from "./features.js";
import type { InitiatorContext, InitiatorOutcome, InitiatorStateOf, Offered, Request } from "./initiatorStates.js";
import {
  type Body,
  encodeMessage,
  type Message,
  type MessageOf,
  pollPadding,
  STEP,
  startPadding,
  TYPE,
} from "./messages.js";
import { MODEL, traitsOf } from "./models.js";
import { hintOf } from "./outOfBand.js";
import { REASON } from "./reasons.js";
import { MAX_DELAY_S } from "./window.js";

export function request({ pid }: InitiatorContext, body: Body): Request {
  return { bytes: encodeMessage({ ...body, pid } as Message), seq: body.seq };
}

/** While a person decides: is the other side still there? `seq` is that of the request that will follow. */
export function pollRequest(context: InitiatorContext, seq: number): Request {
  return request(context, { type: TYPE.POLL, seq, user: 0, padding: pollPadding() });
}

export function onRetry(
  context: InitiatorContext,
  { keyPair, featuresA }: InitiatorStateOf<"hello">,
  { cookie }: MessageOf<"RETRY">,
): InitiatorOutcome {
  const { crypto, outOfBand } = context;
  const hint = outOfBand ? hintOf(crypto, outOfBand) : new Uint8Array(0);
  const padding = startPadding(featuresA, hint);
  const fields = { cookie, features: featuresA, publicKey: keyPair.public, hint, padding };
  const start = request(context, { type: TYPE.START, seq: STEP.start, ...fields });
  return { to: { name: "started", keyPair, featuresA, start: start.bytes }, request: start };
}

/** What must be true of every OFFER; what comes next is the model's. */
export function checkOffer(
  { crypto, model, identity }: InitiatorContext,
  { keyPair, featuresA, start }: InitiatorStateOf<"started">,
  message: MessageOf<"OFFER">,
  offer: Uint8Array,
): Offered | { readonly refuse: number } {
  const { features: featuresB, publicKey: publicB, commitment } = message;
  const parsedB = featuresOf(featuresB, true);
  if (!parsedB) return { refuse: REASON.INVALID_PARAMETERS };
  if (parsedB.chosen?.version !== PAIRING_VERSION || !parsedB.versions.includes(PAIRING_VERSION))
    return { refuse: REASON.VERSION };
  // The model is what our person asked for, never what the other side would like.
  if (parsedB.chosen.model !== model || parsedB.models !== model || parsedB.io !== traitsOf(model).ioResponder)
    return { refuse: REASON.AUTHENTICATION_REQUIREMENTS };
  if (parsedB.appId !== identity.appId) return { refuse: REASON.OTHER_APPLICATION };
  if (commitment.length > 0 !== (model === MODEL.numeric)) return { refuse: REASON.INVALID_PARAMETERS };
  if (!isAcceptableKey(crypto, publicB, keyPair.public)) return { refuse: REASON.KEY_REJECTED };
  return { keyPair, featuresA, featuresB, parsedB, publicB, commitment, transcript: [start, offer.slice()] };
}

/** Nonces and R are known: the DHKey is computed now, and CHECK proves it. */
export function checking(
  context: InitiatorContext,
  offered: Offered,
  values: Pick<Conversation, "na" | "nb" | "ra" | "rb">,
  userUntil: Instant,
): InitiatorOutcome {
  const { crypto, model } = context;
  const { keyPair, publicB, parsedB } = offered;
  const dhKey = crypto.p256SharedSecret(keyPair, publicB);
  if (!dhKey) return { refuse: REASON.KEY_REJECTED };
  const keys = deriveKeys(crypto, dhKey, conversation(context, offered, values));
  dhKey.fill(0);
  return {
    to: { name: "check", keys, parsedB, userUntil },
    request: request(context, { type: TYPE.CHECK, seq: traitsOf(model).checkSeq, check: keys.checkA.slice() }),
    event: { type: "waitingForPeer" },
  };
}

export function onChecked(
  context: InitiatorContext,
  { keys, parsedB }: InitiatorStateOf<"check">,
  { check }: MessageOf<"CHECKED">,
): InitiatorOutcome {
  const { crypto, identity, model } = context;
  if (!equalConstantTime(check, keys.checkB)) return { refuse: REASON.DHKEY_CHECK_FAILED };
  const sealed = sealIdentity(crypto, keys, "hf1 ir", identity);
  return {
    to: { name: "ident", keys, parsedB },
    request: request(context, { type: TYPE.IDENT, seq: traitsOf(model).checkSeq + 1, sealed }),
  };
}

export function onIdentified(
  context: InitiatorContext,
  { keys, parsedB }: InitiatorStateOf<"ident">,
  { sealed }: MessageOf<"IDENTIFIED">,
): InitiatorOutcome {
  const { crypto, identity, to } = context;
  const peer = openIdentity(crypto, keys, "hf1 ri", sealed);
  if (!peer || !isUsableStatic(crypto, peer.staticPublic, identity.staticPublic))
    return { refuse: REASON.DHKEY_CHECK_FAILED };
  const psk = bondSecret(crypto, keys, identity.staticPublic, peer.staticPublic);
  const { name, platform } = parsedB;
  const upgrades = parsedB.upgrades & (identity.upgrades ?? 0);
  const paired = { ...peer, name, platform, upgrades, psk, bondId: bondIdOf(crypto, keys), address: to };
  return { to: { name: "storing", peer: paired }, event: { type: "provisional", peer: paired } };
}

export function onWait(): InitiatorOutcome {
  return { wait: true };
}

/** To START: the window takes no attempt yet. */
export function onDelayed(
  _context: InitiatorContext,
  _state: InitiatorStateOf<"started">,
  { secondsLeft }: MessageOf<"WAIT">,
): InitiatorOutcome {
  // Nothing proves a WAIT: no person shall read of hours.
  return { wait: true, delayed: Math.min(secondsLeft, MAX_DELAY_S) };
}

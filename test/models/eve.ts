import type { KeyPair } from "#crypto/crypto.js";
import { equalConstantTime } from "#kernel/bytes.js";
import type { PairingLink } from "#pairing/link.js";
import { type Message, startPadding, TYPE } from "#pairing/messages.js";
import { MODEL, type Model, PASSKEY_ROUNDS, traitsOf } from "#pairing/models.js";
import { parsePasskey, passkeyBit, passkeyBlock } from "#pairing/passkey.js";
import { f4 } from "#pairing/toolbox.js";
import { ImpostorKeys, numberIn, type Talk, withFeature } from "../attacks/impostorKeys.js";
import { features, NO_HINT, SEQ, x } from "../attacks/impostors.js";
import type { Start } from "./agents.js";
import { is, type Of, type Session } from "./sessions.js";
import { isWeak, mirrored, nonceFor, symbolicCrypto, weakened } from "./symbolicCrypto.js";

// What the attacker has of its own, and what it can make of what it heard.

export const own: KeyPair = symbolicCrypto.p256KeyPair(new Uint8Array(32).fill(0xe)) ?? {
  secret: new Uint8Array(),
  public: new Uint8Array(),
};
export const ownNonce: Uint8Array = new Uint8Array(16).fill(0xe);
export const ownStatic: Uint8Array = symbolicCrypto.x25519KeyPair(new Uint8Array(32).fill(0xe)).public;
const weak: KeyPair = { secret: new Uint8Array(32), public: weakened(own.public) };
export const isEve = (publicKey: Uint8Array): boolean =>
  isWeak(publicKey) || equalConstantTime(x(publicKey), x(own.public));

/** STARTs that the attacker can send: those of the clients, edited ones, and its own. */
export function startsFor(heard: readonly Message[], index: number, model: Model): Start[] {
  const honest = heard.filter(is(TYPE.START));
  const edited = honest.flatMap((start) => [
    { ...start, publicKey: mirrored(start.publicKey) },
    { ...start, publicKey: weakened(start.publicKey) },
    { ...start, features: withFeature(start.features, 4, "evil") },
  ]);
  const pid = new Uint8Array(8).fill(0xe0 + index);
  // Whoever has heard a START knows the name of its link.
  const hint = honest[0]?.hint ?? NO_HINT;
  const ownFeatures = features("phone 0", [
    [1, model],
    [2, traitsOf(model).ioInitiator],
  ]);
  const padding = startPadding(ownFeatures, hint);
  const head = { type: TYPE.START, pid, seq: SEQ.start, cookie: new Uint8Array(16), hint, padding } as const;
  return [...honest, ...edited, { ...head, publicKey: own.public, features: ownFeatures }];
}

/** OFFERs for the client that sent `start`: those of the PCs, edited ones, and the attacker's own. */
export function offersFor(start: Start, heard: readonly Message[], early: readonly string[]): Of<typeof TYPE.OFFER>[] {
  const { pid } = start;
  const commit = (publicKey: Uint8Array, nonce: Uint8Array): Uint8Array =>
    model === MODEL.numeric ? f4(symbolicCrypto, x(publicKey), x(start.publicKey), nonce, 0) : new Uint8Array(0);
  const model = modelIn(start);
  const canned = features("PC 0", [
    [1, model],
    [8, 1],
    [9, model],
  ]);
  const honest = heard.filter(is(TYPE.OFFER));
  const edited = honest.flatMap((offer) => [
    { ...offer, publicKey: mirrored(offer.publicKey) },
    { ...offer, publicKey: weakened(offer.publicKey) },
    { ...offer, features: withFeature(offer.features, 4, "evil") },
  ]);
  const mine = [ownNonce, ...early.map(nonceFor)].map((nonce) => ({
    publicKey: own.public,
    commitment: commit(own.public, nonce),
  }));
  const mirror = { publicKey: start.publicKey, commitment: commit(start.publicKey, ownNonce) };
  return [
    ...honest,
    ...edited,
    ...[...mine, mirror].map((each) => ({ type: TYPE.OFFER, pid, seq: SEQ.start, features: canned, ...each })),
  ];
}

/** What of an out-of-band way enters the keys; `known`: the attacker has learned it. */
export type OutOfBandKeys = Required<Pick<Talk, "ra" | "rb" | "prefix" | "outOfBand">>;

const NOTHING = new Uint8Array(16);

/** Nobody who does not know it can do better than leave it out. */
export function withoutOutOfBand(way: "link" | "secret"): OutOfBandKeys {
  const outOfBand = [1, way === "secret" ? 1 : 0] as const;
  return { ra: NOTHING, rb: NOTHING, prefix: new Uint8Array(0), outOfBand };
}

/** From a client's Ea, made under a key that the attacker shares, the link can be computed back. */
export function withLink({ rb, bytes }: PairingLink): OutOfBandKeys {
  return { ...withoutOutOfBand("link"), rb, prefix: symbolicCrypto.sha256(bytes) };
}

/** The keys of an attempt, if the attacker can work them out: the other side's key is its own, or a weak point, and it knows the passkey. */
export function keysOf(
  session: Session,
  passkey: number | undefined,
  outOfBand: readonly OutOfBandKeys[] = [],
): ImpostorKeys[] {
  const { start, offer, na, nb, peerKey, transcript, rounds } = session;
  if (!start || !offer || !na || !nb || !peerKey || !isEve(peerKey)) return [];
  const talk: Talk = { pid: start.pid, featuresA: start.features, featuresB: offer.features, na, nb, transcript };
  const other = peerKey === start.publicKey ? offer.publicKey : start.publicKey;
  const pair = isWeak(peerKey) ? weak : own;
  if (outOfBand.length > 0)
    return outOfBand.map((each) => new ImpostorKeys(symbolicCrypto, pair, other, { ...talk, ...each }));
  if (rounds.length === 0) return [new ImpostorKeys(symbolicCrypto, pair, other, talk)];
  if (passkey === undefined) return [];
  const r = passkeyBlock(passkey);
  return [new ImpostorKeys(symbolicCrypto, pair, other, { ...talk, ra: r, rb: r })];
}

/** The way that a START asks for. */
export function modelIn({ features: map }: Start): Model {
  const asked = numberIn(map, 1);
  return asked === MODEL.passkey || asked === MODEL.outOfBand ? asked : MODEL.numeric;
}

/** What the attacker knows of one passkey: the bit of each round that it can use, and the whole when no round is missing. */
export interface Knowledge {
  readonly bits: readonly (number | undefined)[];
  readonly passkey: number | undefined;
}

/**
 * Of the passkey that `letters` stand for: the bits that an honest side has opened in any attempt with these letters, or all of them
 * when they are digits that a screen shows. Guessing is left out: twenty bits are not guessed.
 */
export function knowledgeOf(
  letters: string | undefined,
  sessions: readonly Session[],
  shown: readonly string[],
): Knowledge {
  const rounds = Array.from({ length: PASSKEY_ROUNDS }, (_, i) => i);
  if (letters !== undefined && shown.includes(letters)) {
    const passkey = Number(letters);
    return { passkey, bits: rounds.map((i) => passkeyBit(passkey, i)) };
  }
  const bits = rounds.map((i) => {
    const opened = sessions.filter((session) => letters !== undefined && session.letters === letters);
    return opened.map((session) => openedBit(session, i)).find((bit) => bit !== undefined);
  });
  // Who has opened every round knows the letters: in a shortened build too, where not each of their bits has a round.
  const whole = letters !== undefined && bits.every((bit) => bit !== undefined);
  return { bits, passkey: whole ? parsePasskey(letters) : undefined };
}

/** The bit of a round that somebody has committed to and opened. */
function openedBit({ start, offer, rounds }: Session, i: number): number | undefined {
  const round = rounds[i];
  if (!start || !offer || !round) return undefined;
  const [xA, xB] = [x(start.publicKey), x(offer.publicKey)];
  const fits = (u: Uint8Array, v: Uint8Array, nonce: Uint8Array | undefined, commitment: Uint8Array | undefined) =>
    nonce &&
    commitment &&
    [0x80, 0x81].find((bit) => equalConstantTime(f4(symbolicCrypto, u, v, nonce, bit), commitment));
  return fits(xA, xB, round.na, round.commit) ?? fits(xB, xA, round.nb, round.committed);
}

/** The attacker's own commitment for a round, if it knows the bit. */
export function ownCommitments(toward: Uint8Array, bit: number | undefined): Uint8Array[] {
  return bit === undefined ? [] : [f4(symbolicCrypto, x(own.public), x(toward), ownNonce, bit)];
}

/** The next message of a round with letters, towards the PC. */
export function sayRound(
  session: Session,
  heard: readonly Message[],
  bits: Knowledge["bits"],
  say: (message: Message) => void,
): void {
  const { pid, rounds, offer } = session;
  const at = rounds.length - 1;
  const open = rounds[at];
  if (open?.committed && !open.nb) {
    const nonces = [...heard.filter(is(TYPE.NONCE)), ...heard.filter(is(TYPE.REVEAL))].map((each) => each.nonce);
    for (const nonce of [...nonces, ownNonce]) say({ type: TYPE.NONCE, pid, seq: 3 + 2 * at, nonce });
  } else if (offer && rounds.length < PASSKEY_ROUNDS && (!open || open.nb)) {
    const own = ownCommitments(offer.publicKey, bits[at + 1]);
    for (const commitment of [...heard.filter(is(TYPE.COMMIT)).map((each) => each.commitment), ...own])
      say({ type: TYPE.COMMIT, pid, seq: 2 + 2 * (at + 1), commitment });
  }
}

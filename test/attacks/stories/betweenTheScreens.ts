import { nonceThatShows } from "#cli/mitm/digitSearch.node.js";
import { equalConstantTime, fromHex, isAllZero, toHex } from "#kernel/bytes.js";
import { encodeCbor } from "#kernel/cbor.js";
import { encodeMessage, type Message, TYPE } from "#pairing/messages.js";
import { f4, g2 } from "#pairing/toolbox.js";
import { PC, PHONE } from "../../support/pairing.js";
import { EVE, pairingMessage } from "../attacker.js";

import { withFeature } from "../impostorKeys.js";
import { SEQ, x } from "../impostors.js";
import { endOf, type Outcome, Stage } from "../stage.js";

/** Core Spec Vol 3 Part H §2.3.5.6.1. */
const DEBUG_PRIVATE_KEY = fromHex("3f49f6d4a3c55f3874c9b3e3d2103f504aff607beb40b7995899b8a6cd3c1abd");
const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;

/** The attacker pairs with the PC first, then chooses the nonce it shows the phone so that both screens agree. */
export function chooseNonceLast(seed: number): Outcome {
  const stage = new Stage({ seed });
  const pc = stage.asClient();
  const phone = stage.asPc();
  pc.hello();
  stage.waitFor(() => pc.digits !== undefined, 5000);
  phone.onNonce = () => {
    const { start, na } = phone;
    if (!start || !na || !pc.digits) return undefined;
    return nonceThatShows(pc.digits, x(start.publicKey), x(phone.keyPair.public), na);
  };
  const victim = stage.world.start();
  stage.waitFor(() => victim.outcome !== undefined && stage.world.pcOutcome !== undefined);
  stage.wait(1000);
  return {
    succeeded: stage.knows(pc.psk) && stage.knows(phone.psk),
    why: `phone ${victim.digits}, PC ${stage.world.pcDigits?.digits}, phone aborted with ${phone.abort}`,
  };
}

/** The phone's nonce is known before the attacker has to commit to its own. */
export function learnNonceEarly(seed: number): Outcome {
  const stage = new Stage({ seed });
  const pc = stage.asClient();
  const phone = stage.asPc();
  pc.hello();
  stage.waitFor(() => pc.digits !== undefined, 5000);
  phone.onStart = () => undefined;
  phone.onNonce = () => undefined;
  const victim = stage.world.start();
  stage.waitFor(() => phone.start !== undefined && phone.na !== undefined, 1000);
  const { start, na } = phone;
  const chosen =
    start && na && pc.digits ? nonceThatShows(pc.digits, x(start.publicKey), x(phone.keyPair.public), na) : undefined;
  const nb = chosen ?? stage.world.random.bytes(16);
  phone.sendOffer(nb);
  stage.wait(50);
  phone.sendReveal(nb);
  stage.wait(50);
  return sameDigits(stage, victim.digits);
}

/** A nonce learned in one attempt is used again by the PC in the next. Needs digits short enough to search for here. */
export function reuseNonce(seed: number): Outcome {
  const stage = new Stage({ seed });
  const { crypto, random } = stage.world;
  const first = stage.asClient();
  first.hello();
  stage.waitFor(() => first.abort !== undefined, 10_000);
  const second = stage.asClient({}, { ...EVE, port: 7777 });
  second.onOffer = () => undefined;
  second.hello();
  const phone = stage.asPc();
  const victim = stage.world.start();
  stage.waitFor(() => victim.digits !== undefined && second.offer !== undefined, 5000);
  const { offer } = second;
  for (let tries = 0; tries < 100_000 && offer && first.nb; tries++) {
    const na = random.bytes(16);
    if (g2(crypto, x(second.publicKey), x(offer.publicKey), na, first.nb) !== phone.digits) continue;
    second.sendNonce(na);
    break;
  }
  stage.wait(100);
  return sameDigits(stage, victim.digits);
}

/** Does the PC's commitment bind both keys and its nonce, as f4 says? If not, it binds less than the proof needs. */
export function looseCommitment(seed: number): Outcome {
  const stage = new Stage({ seed });
  const client = stage.asClient();
  client.hello();
  stage.waitFor(() => client.nb !== undefined, 5000);
  const { offer, nb } = client;
  if (!offer || !nb) return { succeeded: false, why: "no commitment was seen" };
  const expected = f4(stage.world.crypto, x(offer.publicKey), x(client.publicKey), nb, 0);
  return { succeeded: !equalConstantTime(expected, offer.commitment), why: "the commitment was recomputed" };
}

/** CVE-2020-26558, CVE-2021-37577: the phone is offered its own key, or the one with the same x. */
export function reflectKey(seed: number): Outcome {
  return offerKey(seed, (own) => (seed % 2 === 0 ? own : negated(own)));
}

/** CVE-2018-5383: a point of order two. */
export function weakPointToPhone(seed: number): Outcome {
  return offerKey(seed, (own) => withZeroY(own.map((byte, i) => (i === 32 ? byte ^ 1 : byte))));
}

export function weakPointToPc(seed: number): Outcome {
  const stage = new Stage({ seed });
  const client = stage.asClient();
  client.publicKey = withZeroY(client.publicKey);
  client.hello();
  stage.wait(2000);
  return { succeeded: client.offer !== undefined, why: `the PC answered ${client.abort}` };
}

/** A PC whose private key is printed in a specification: everybody can read what it agrees on. */
export function debugKey(seed: number): Outcome {
  const stage = new Stage({ seed, phoneSays: () => true });
  const keyPair = stage.world.crypto.p256KeyPair(DEBUG_PRIVATE_KEY);
  const phone = stage.asPc(keyPair && { keyPair });
  const victim = stage.world.start();
  stage.waitFor(() => victim.outcome !== undefined);
  return { succeeded: stage.knows(phone.psk), why: endOf(victim) };
}

/** y of the PC's key is negated in flight: the Diffie-Hellman result is the same, the conversation is not. */
export function negateOfferedKey(seed: number): Outcome {
  const stage = new Stage({ seed });
  stage.wire.rewrite(TYPE.OFFER, (offer) => ({ ...offer, publicKey: negated(offer.publicKey) }));
  return bothBonded(stage);
}

/** The same with the phone's key. The attacker has to fetch a cookie for what it makes of START. */
export function negateStartedKey(seed: number): Outcome {
  const stage = new Stage({ seed });
  const { wire } = stage;
  let held: (Message & { readonly type: typeof TYPE.START }) | undefined;
  wire.intercept(({ bytes }) => {
    const message = pairingMessage(bytes);
    if (message?.type === TYPE.HELLO) {
      const cookie = new Uint8Array(16);
      wire.inject(encodeMessage({ type: TYPE.RETRY, pid: message.pid, seq: SEQ.hello, cookie }), PC, PHONE);
      return "drop";
    }
    if (message?.type === TYPE.START) {
      held = { ...message, publicKey: negated(message.publicKey) };
      const bodyHash = stage.world.crypto.sha256(encodeCbor([held.features, held.publicKey]));
      const hello = { type: TYPE.HELLO, pid: held.pid, seq: SEQ.hello, bodyHash, padding: new Uint8Array(40) };
      wire.inject(encodeMessage(hello), PHONE, PC);
      return "drop";
    }
    if (message?.type !== TYPE.RETRY || !held) return undefined;
    wire.inject(encodeMessage({ ...held, cookie: message.cookie }), PHONE, PC);
    return "drop";
  });
  return bothBonded(stage);
}

/** What the PC says about itself is edited on the way. */
export function editPlatform(seed: number): Outcome {
  const stage = new Stage({ seed });
  stage.wire.rewrite(TYPE.OFFER, (offer) => ({ ...offer, features: withFeature(offer.features, 4, "evil") }));
  const outcome = bothBonded(stage);
  return { ...outcome, succeeded: outcome.succeeded && stage.world.phone?.bonds[0]?.platform === "evil" };
}

/** The PC's promise to protect the bond against later quantum computers is taken out on the way. */
export function stripUpgrade(seed: number): Outcome {
  const stage = new Stage({ seed, upgrades: [1, 1] });
  stage.wire.rewrite(TYPE.OFFER, (offer) => ({ ...offer, features: withFeature(offer.features, 7, 0) }));
  const outcome = bothBonded(stage);
  return { ...outcome, succeeded: outcome.succeeded && stage.world.phone?.bonds[0]?.upgrades === 0 };
}

/** The PC offers a way of pairing that nobody at the phone asked for. */
export function otherModel(seed: number): Outcome {
  const stage = new Stage({ seed });
  stage.wire.rewrite(TYPE.OFFER, (offer) => ({ ...offer, features: withFeature(offer.features, 9, 2) }));
  const victim = stage.world.start();
  stage.wait(1000);
  return { succeeded: victim.digits !== undefined, why: endOf(victim) };
}

/** A wrong proof of the Diffie-Hellman result, sent to the PC. */
export function forgeCheckA(seed: number): Outcome {
  const stage = new Stage({ seed, pcSays: () => true });
  const client = stage.asClient();
  client.check = new Uint8Array(16);
  client.hello();
  stage.wait(10_000);
  return { succeeded: stage.wire.messages(TYPE.CHECKED).length > 0, why: `the PC answered ${client.abort}` };
}

/** The same, sent to the phone: it must not tell who it is. */
export function forgeCheckB(seed: number): Outcome {
  const stage = new Stage({ seed, phoneSays: () => true });
  const phone = stage.asPc();
  phone.check = new Uint8Array(16);
  const victim = stage.world.start();
  stage.waitFor(() => victim.outcome !== undefined || phone.psk !== undefined, 20_000);
  return { succeeded: stage.wire.messages(TYPE.IDENT).length > 0, why: endOf(victim) };
}

/** A static key that makes every later handshake predictable. */
export function lowOrderStatic(seed: number): Outcome {
  const stage = new Stage({ seed, pcSays: () => true });
  const client = stage.asClient({ staticPublic: new Uint8Array(32) });
  client.hello();
  stage.wait(10_000);
  const stored = stage.world.pcBonds[0];
  return { succeeded: stored !== undefined && isAllZero(stored.staticPublic), why: `the PC answered ${client.abort}` };
}

/** The bond secret of an honest pairing, in hex: it must not depend on the digits. */
export function secretOf(seed: number): Outcome {
  const stage = new Stage({ seed });
  stage.world.run();
  return { succeeded: false, why: toHex(stage.world.pcBonds[0]?.psk ?? new Uint8Array()) };
}

/** Nobody at the PC has said yes. */
export function skipThePcPerson(seed: number): Outcome {
  const stage = new Stage({ seed, pcSays: () => undefined });
  const client = stage.asClient();
  client.hello();
  stage.wait(10_000);
  return { succeeded: stage.bonds > 0, why: "the person at the PC never answered" };
}

/** Identities before both people have said yes. */
export function identBeforeYes(seed: number): Outcome {
  const stage = new Stage({ seed, pcSays: () => undefined });
  const client = stage.asClient();
  client.onReveal = () => {
    client.sendCheck();
    client.sendIdent();
  };
  client.hello();
  stage.wait(10_000);
  return { succeeded: stage.bonds > 0, why: "the person at the PC never answered" };
}

function offerKey(seed: number, make: (own: Uint8Array) => Uint8Array): Outcome {
  const stage = new Stage({ seed });
  const phone = stage.asPc();
  phone.publicKey = (start) => make(start.publicKey);
  phone.onNonce = () => undefined;
  const victim = stage.world.start();
  stage.wait(1000);
  return { succeeded: phone.na !== undefined, why: `${endOf(victim)}, ${phone.abort}` };
}

function bothBonded(stage: Stage): Outcome {
  const { phone, pc } = stage.world.run(60_000);
  const succeeded = stage.world.pcBonds.length > 0 && (stage.world.phone?.bonds.length ?? 0) > 0;
  return { succeeded, why: `${endOf(stage.world.phone)}, ${pc?.type}, ${phone?.type}` };
}

function sameDigits(stage: Stage, onPhone: string | undefined): Outcome {
  const onPc = stage.world.pcDigits?.digits;
  return { succeeded: onPhone !== undefined && onPhone === onPc, why: `phone ${onPhone}, PC ${onPc}` };
}

function negated(publicKey: Uint8Array): Uint8Array {
  const y = BigInt(`0x${Buffer.from(publicKey.subarray(33)).toString("hex")}`);
  const out = publicKey.slice();
  out.set(fromHex((P - y).toString(16).padStart(64, "0")), 33);
  return out;
}

function withZeroY(publicKey: Uint8Array): Uint8Array {
  return publicKey.map((byte, i) => (i < 33 ? byte : 0));
}

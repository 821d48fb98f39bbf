import { fromHex, toHex } from "#kernel/bytes.js";
import { TYPE } from "#pairing/messages.js";
import { passkeyLetters } from "#pairing/passkey.js";
import { type PairingWorldOptions, PC, PHONE } from "../../support/pairing.js";
import { EVE } from "../attacker.js";
import { withFeature } from "../impostorKeys.js";
import { ImpostorResponder, SEQ, x } from "../impostors.js";
import { ImpostorDisplay, ImpostorTypist, passkeyFrom } from "../passkeyImpostors.js";
import { endOf, type Outcome, Stage } from "../stage.js";

const CODE = { method: { kind: "code" } } as const satisfies Partial<PairingWorldOptions>;
const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;

/** The attacker shows the phone its own key, mirrored, and sends back each commitment and nonce: round by round it learns the letters. */
export function reflectRounds(seed: number): Outcome {
  const stage = new Stage({ seed, ...CODE });
  const display = displayTo(stage, undefined);
  display.publicKey = mirrored;
  const phone = stage.world.start();
  stage.wait(20_000);
  const { crypto } = stage.world;
  const learned = passkeyFrom(crypto, { a: display.clientKey, b: display.offeredKey }, display.rounds);
  const letters = learned === undefined ? undefined : passkeyLetters(learned);
  return { succeeded: display.checked && letters === stage.world.letters, why: `${letters}, ${endOf(phone)}` };
}

/**
 * Method confusion: the PC's person compares digits, the phone's person was told to type what the PC shows. The attacker pairs with
 * the PC by digits, so it knows them, and asks the phone for "letters".
 */
export function typeTheDigits(seed: number): Outcome {
  const stage = new Stage({ seed, phoneMethod: { kind: "code" }, pcSays: () => undefined, types: () => undefined });
  const pc = stage.asClient();
  pc.hello();
  stage.waitFor(() => pc.digits !== undefined, 5000);
  const display = displayTo(stage, Number(pc.digits));
  const phone = stage.world.start();
  stage.waitFor(() => phone.events.some(({ type }) => type === "code"), 5000);
  const taken = phone.initiator.enterCode(stage.world.pcDigits?.digits ?? "", stage.world.clock.now());
  phone.pump.turn();
  stage.wait(20_000);
  return { succeeded: stage.knows(display.psk), why: `the phone took the digits: ${taken}` };
}

/** The PC's side of the conversation claims the keyboard: the roles would be swapped. */
export function swapRoles(seed: number): Outcome {
  const stage = new Stage({ seed, ...CODE });
  stage.wire.rewrite(TYPE.OFFER, (offer) => ({ ...offer, features: withFeature(offer.features, 2, 2) }));
  const phone = stage.world.start();
  stage.wait(2000);
  return { succeeded: phone.events.some(({ type }) => type === "code"), why: endOf(phone) };
}

/** Somebody listens to twenty rounds, works the letters out, and uses them before the PC's person has let anybody in. */
export function useLettersAgain(seed: number): Outcome {
  const stage = new Stage({ seed, ...CODE });
  stage.wire.intercept(({ bytes, from }) => (bytes[2] === TYPE.CHECK && from.host === PHONE.host ? "drop" : undefined));
  const phone = stage.world.start();
  stage.waitFor(() => phone.outcome !== undefined, 120_000);
  stage.wait(21_000);
  const { crypto } = stage.world;
  const [start] = stage.wire.messages(TYPE.START);
  const [offer] = stage.wire.messages(TYPE.OFFER);
  const openings = stage.wire.messages(TYPE.NONCE);
  const rounds = [...new Map(stage.wire.messages(TYPE.COMMIT).map((one) => [one.seq, one.commitment]))].map(
    ([seq, commitment]) => ({
      commitment,
      nonce: openings.find((one) => one.seq === seq + 1)?.nonce ?? new Uint8Array(16),
    }),
  );
  const learned = start && offer && passkeyFrom(crypto, { a: start.publicKey, b: offer.publicKey }, rounds);
  if (learned === undefined) return { succeeded: false, why: `${rounds.length} rounds were heard` };
  const typist = typistAt(stage, learned, EVE);
  typist.hello();
  stage.wait(30_000);
  return {
    succeeded: stage.knows(typist.psk),
    why: `learned ${passkeyLetters(learned)}, the PC now shows ${stage.world.letters}, answered ${typist.abort}`,
  };
}

/** The phone has scanned the PC's link; the attacker answers in the PC's place, under a key of its own. */
export function answerTheLink(seed: number): Outcome {
  const stage = new Stage({ seed, method: { kind: "link", addresses: [PC] } });
  const { crypto, random } = stage.world;
  const eve = new ImpostorResponder({
    ...{ crypto, random: random.bytes },
    send: (bytes) => stage.wire.inject(bytes, PC, PHONE),
  });
  eve.featuresB = withFeature(withFeature(eve.featuresB, 1, 4), 9, 4);
  eve.commitment = new Uint8Array(0);
  let checks = 0;
  stage.wire.intercept(({ bytes, from }) => {
    if (from.port !== PHONE.port) return undefined;
    if (bytes[2] === TYPE.CHECK && bytes[12] === SEQ.check) checks++;
    eve.receive(bytes);
    return "drop";
  });
  const phone = stage.world.start();
  stage.wait(5000);
  return { succeeded: checks > 0, why: `${endOf(phone)}, Ea made with the link's secret left ${checks} times` };
}

/**
 * Somebody has photographed the link and comes first, under the phone's name; the phone that was meant comes right after.
 * The PC's person sees the name that they expect, and says yes.
 */
export function photographTheLink(seed: number): Outcome {
  const stage = new Stage({ seed, method: { kind: "link", addresses: [PC] } });
  const thief = stage.world.start(EVE);
  stage.waitFor(() => stage.world.pcEvents.some(({ type }) => type === "approve"), 5000);
  const phone = stage.world.start();
  stage.wait(30_000);
  return { succeeded: thief.bonds.length > 0, why: `thief: ${endOf(thief)}, phone: ${endOf(phone)}` };
}

/** Eight attackers guess letters at the same time. How many guesses does one window give away? */
export function guessInParallel(seed: number): Outcome {
  const stage = new Stage({ seed, ...CODE });
  const typists = Array.from({ length: 8 }, (_, i) =>
    typistAt(stage, stage.world.random.integer(1 << 20), { ...EVE, port: 7000 + i, host: `10.0.1.${i}` }),
  );
  for (const typist of typists) typist.hello();
  stage.wait(60_000);
  for (const typist of typists) if (typist.committed === 0) typist.hello();
  stage.wait(59_000);
  const guesses = typists.filter(({ committed }) => committed > 0).length;
  return { succeeded: guesses > 3 || stage.bonds > 0, why: `${guesses} of 8 could try a guess` };
}

function displayTo(stage: Stage, passkey: number | undefined): ImpostorDisplay {
  const { crypto, random } = stage.world;
  const send = (bytes: Uint8Array): void => stage.wire.inject(bytes, PC, PHONE);
  const display = new ImpostorDisplay({ crypto, random: random.bytes, send }, passkey);
  stage.wire.intercept(({ bytes, from }) => {
    if (from.port !== PHONE.port || from.host !== PHONE.host) return undefined;
    display.receive(bytes);
    return "drop";
  });
  return display;
}

function typistAt(stage: Stage, passkey: number, at: typeof EVE): ImpostorTypist {
  const { crypto, random, network } = stage.world;
  const socket = network.socket(at);
  const send = (bytes: Uint8Array): void => socket.send(bytes, PC);
  const typist = new ImpostorTypist({ crypto, random: random.bytes, send }, passkey);
  socket.onDatagram((bytes) => typist.receive(bytes));
  return typist;
}

function mirrored(publicKey: Uint8Array): Uint8Array {
  const y = BigInt(`0x${toHex(publicKey.subarray(33))}`);
  return Uint8Array.of(4, ...x(publicKey), ...fromHex((P - y).toString(16).padStart(64, "0")));
}

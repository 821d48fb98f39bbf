import type { Address } from "#kernel/ports.js";
import { encodeMessage, type Message, TYPE } from "#pairing/messages.js";
import { PC, PHONE } from "../../support/pairing.js";
import { EVE, pairingMessage } from "../attacker.js";
import { ImpostorResponder, SEQ } from "../impostors.js";
import { endOf, type Outcome, Stage } from "../stage.js";

/** A START whose sender never received anything at the address it claims. */
export function spoofedStart(seed: number): Outcome {
  const stage = new Stage({ seed });
  stage.asClient().sendStart(new Uint8Array(16));
  stage.wait(2000);
  return { succeeded: fromPc(stage).length > 0, why: `dropped: ${JSON.stringify(stage.world.responder.drops)}` };
}

/** Nobody at the PC has opened the window. */
export function closedWindow(seed: number): Outcome {
  const stage = new Stage({ seed, windowOpen: false });
  stage.asClient().hello();
  stage.wait(2000);
  return { succeeded: fromPc(stage).length > 0, why: `dropped: ${JSON.stringify(stage.world.responder.drops)}` };
}

/** The PC reveals its nonce before the attempt is counted, so that a power cut gives guesses for nothing. */
export function guessUncounted(seed: number): Outcome {
  const stage = new Stage({ seed });
  let counted: number | undefined;
  stage.wire.rewrite(TYPE.REVEAL, (reveal) => {
    counted ??= stage.world.persisted.at(-1)?.failures;
    return reveal;
  });
  const client = stage.asClient();
  client.hello();
  stage.wait(1000);
  return { succeeded: counted === 0, why: `when the nonce left, ${counted} attempts were on disk` };
}

/** More guesses than one window allows. */
export function fourthGuess(seed: number): Outcome {
  const stage = new Stage({ seed, pcSays: () => false });
  let shown = 0;
  for (let i = 0; i < 5; i++) {
    const client = stage.asClient({}, { ...EVE, port: 7000 + i });
    client.hello();
    stage.waitFor(() => client.abort !== undefined, 10_000);
    if (client.digits !== undefined) shown++;
  }
  return { succeeded: shown > 3, why: `${shown} attempts got digits` };
}

/** Six attempts have failed; the person has opened the window again, and the next guess comes at once. */
export function guessAtOnce(seed: number): Outcome {
  const stage = new Stage({ seed, attempts: { failures: 6, windows: 2 } });
  const client = stage.asClient();
  client.hello();
  stage.wait(2000);
  return { succeeded: client.digits !== undefined, why: `digits after two seconds: ${client.digits !== undefined}` };
}

/** The person opens the window for letters again and again, as people press a button that did not work. How many guesses is that? */
export function guessOnAndOn(seed: number): Outcome {
  const method = { kind: "code" } as const;
  const stage = new Stage({ seed, windowOpen: false, method, types: () => "BBBBB" });
  const { responder, clock, pcPump } = stage.world;
  for (let opened = 0; opened < 8; opened++) {
    try {
      responder.openWindow({ method }, clock.now());
    } catch {
      break;
    }
    pcPump.turn();
    for (let i = 0; i < 3 && responder.isOpen; i++) {
      const eve = stage.world.start({ ...EVE, port: 7000 + 10 * opened + i });
      stage.waitFor(() => eve.outcome !== undefined, 200_000);
      stage.wait(3000);
    }
  }
  const { failures } = stage.world.persisted.at(-1) ?? { failures: 0 };
  return { succeeded: failures > 10, why: `${failures} guesses in a row` };
}

/** Two attempts with digits on one screen. */
export function secondScreen(seed: number): Outcome {
  const stage = new Stage({ seed, pcSays: () => undefined });
  const clients = [1, 2].map((i) => stage.asClient({}, { ...EVE, port: 7000 + i }));
  for (const client of clients) client.hello();
  stage.wait(2000);
  const late = stage.asClient({}, { ...EVE, port: 7003 });
  late.hello();
  stage.wait(2000);
  const shown = stage.world.pcEvents.filter(({ type }) => type === "digits").length;
  return { succeeded: shown > 1, why: `${shown} attempts showed digits at the same time` };
}

/** An OFFER from somebody who cannot see the wire and guesses the attempt's number. */
export function blindOffer(seed: number): Outcome {
  return forgeOffer(seed, PC, () => new Uint8Array(8));
}

/** An OFFER from somebody who sees the wire but cannot send from the PC's address. */
export function offerFromElsewhere(seed: number): Outcome {
  return forgeOffer(seed, EVE, (pid) => pid);
}

/** A nonce for the phone's attempt, from elsewhere. */
export function nonceFromElsewhere(seed: number): Outcome {
  const stage = new Stage({ seed });
  stage.wire.rewrite(TYPE.OFFER, (offer) => {
    const { pid } = offer;
    stage.wire.inject(encodeMessage({ type: TYPE.NONCE, pid, seq: SEQ.nonce, nonce: new Uint8Array(16) }), EVE, PC);
    return offer;
  });
  stage.world.run(60_000);
  return { succeeded: endOf(stage.world.phone) !== "done", why: endOf(stage.world.phone) };
}

/** A window that was closed and opened again must not keep half-open attempts of the old one: they skip the waiting time. */
export function offerKeptOverWindows(seed: number): Outcome {
  const stage = new Stage({ seed, attempts: { failures: 6, windows: 1 }, windowOpen: false });
  const { responder, clock, pcPump } = stage.world;
  const open = (): void => {
    responder.openWindow({}, clock.now());
    pcPump.turn();
  };
  open();
  const early = stage.asClient();
  early.onOffer = () => undefined;
  stage.wait(61_000);
  early.hello();
  stage.wait(1000);
  responder.closeWindow(clock.now());
  pcPump.turn();
  stage.wait(1000);
  open();
  early.sendNonce(new Uint8Array(16));
  stage.wait(1000);
  return { succeeded: early.nb !== undefined, why: "the new window asks for a minute of waiting first" };
}

function forgeOffer(seed: number, from: Address, pidOf: (pid: Uint8Array) => Uint8Array): Outcome {
  const stage = new Stage({ seed });
  const { crypto, random } = stage.world;
  const eve = new ImpostorResponder({
    crypto,
    random: random.bytes,
    send: (bytes) => stage.wire.inject(bytes, from, PHONE),
  });
  stage.wire.rewrite(TYPE.START, (start) => {
    eve.start = { ...start, pid: pidOf(start.pid) };
    eve.sendOffer(new Uint8Array(16));
    return start;
  });
  stage.world.run(60_000);
  return { succeeded: endOf(stage.world.phone) !== "done", why: endOf(stage.world.phone) };
}

function fromPc(stage: Stage): Message[] {
  return stage.wire.seen
    .filter(({ from }) => from.host === PC.host)
    .map(({ bytes }) => pairingMessage(bytes))
    .filter((message) => message !== undefined);
}

import type { Address } from "#kernel/ports.js";
import { encodeMessage, type Message, STEP, TYPE } from "#pairing/messages.js";
import { REASON } from "#pairing/reasons.js";
import { PC, PHONE } from "../../support/pairing.js";
import { EVE, pairingMessage } from "../attacker.js";
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

/** An ABORT from somebody who cannot see the wire and guesses the attempt's number. */
export function blindAbort(seed: number): Outcome {
  return abortPhone(seed, PC, () => new Uint8Array(8));
}

/** An ABORT from somebody who sees the wire but cannot send from the PC's address. */
export function abortFromElsewhere(seed: number): Outcome {
  return abortPhone(seed, EVE, (pid) => pid);
}

/** The same against the PC. */
export function abortPcFromElsewhere(seed: number): Outcome {
  const stage = new Stage({ seed });
  const phone = stage.world.start();
  stage.waitFor(() => phone.digits !== undefined, 5000);
  const pid = stage.wire.messages(TYPE.HELLO)[0]?.pid ?? new Uint8Array(8);
  stage.wire.inject(abort(pid), EVE, PC);
  stage.waitFor(() => phone.outcome !== undefined, 20_000);
  return { succeeded: endOf(phone) !== "done", why: endOf(phone) };
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
  responder.closeWindow();
  pcPump.turn();
  stage.wait(1000);
  open();
  early.sendNonce(new Uint8Array(16));
  stage.wait(1000);
  return { succeeded: early.nb !== undefined, why: "the new window asks for a minute of waiting first" };
}

function abortPhone(seed: number, from: Address, pidOf: (pid: Uint8Array) => Uint8Array): Outcome {
  const stage = new Stage({ seed });
  const phone = stage.world.start();
  stage.waitFor(() => phone.digits !== undefined, 5000);
  const pid = pidOf(stage.wire.messages(TYPE.HELLO)[0]?.pid ?? new Uint8Array(8));
  stage.wire.inject(abort(pid), from, PHONE);
  stage.waitFor(() => phone.outcome !== undefined, 20_000);
  return { succeeded: endOf(phone) !== "done", why: endOf(phone) };
}

function abort(pid: Uint8Array): Uint8Array {
  return encodeMessage({ type: TYPE.ABORT, pid, seq: STEP.check, reason: REASON.UNSPECIFIED, retryAfter: 0 });
}

function fromPc(stage: Stage): Message[] {
  return stage.wire.seen
    .filter(({ from }) => from.host === PC.host)
    .map(({ bytes }) => pairingMessage(bytes))
    .filter((message) => message !== undefined);
}

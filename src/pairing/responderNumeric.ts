import { conversation } from "./conversation.js";
import { xOf } from "./exchange.js";
import { type MessageOf, STEP, TYPE } from "./messages.js";
import { answerOf, question } from "./responderShared.js";
import type {
  Offered,
  ResponderContext,
  ResponderMove,
  ResponderOutcome,
  ResponderStateOf,
} from "./responderStates.js";
import { f4, g2 } from "./toolbox.js";

/** Our nonce is drawn and committed to before the other one is known (PROTOCOL.md §3). */
export function offerNumeric(
  { crypto, random }: ResponderContext,
  publicA: Uint8Array,
  publicB: Uint8Array,
): { readonly commitment: Uint8Array; readonly state: (offered: Offered) => ResponderMove["to"] } {
  const nb = random(16);
  const commitment = f4(crypto, xOf(publicB), xOf(publicA), nb, 0);
  return { commitment, state: (offered) => ({ name: "offered", nb, ...offered }) };
}

/** The reveal waits until the attempt is counted on disk. */
export function onNonce(
  context: ResponderContext,
  state: ResponderStateOf<"offered">,
  { nonce: na }: MessageOf<"NONCE">,
  datagram: Uint8Array,
): ResponderOutcome {
  const { nb, ...offered } = state;
  const reveal = answerOf(context, { type: TYPE.REVEAL, seq: STEP.nonce, nonce: nb });
  const heard = { ...offered, transcript: [...state.transcript, datagram.slice(), reveal] };
  const none = new Uint8Array(16);
  const talk = conversation(context, heard, { na, nb, ra: none, rb: none });
  const digits = g2(context.crypto, xOf(state.publicA), xOf(state.keyPair.public), na, nb);
  const next: ResponderMove = {
    to: { ...heard, name: "asking", talk, userYes: false },
    answer: reveal,
    event: { type: "digits", digits, ...question(context, state) },
  };
  return { to: { name: "counting", next } };
}

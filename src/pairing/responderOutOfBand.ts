import { conversation } from "./conversation.js";
import { type MessageOf, TYPE } from "./messages.js";
import { rOf } from "./outOfBand.js";
import { REASON } from "./reasons.js";
import { answerOf, proved, question, whenBothSaidYes } from "./responderShared.js";
import type { ResponderContext, ResponderOutcome, ResponderStateOf } from "./responderStates.js";

/** Takes no slot: nothing is shown, and 128 bits are not guessed. */
export function onLinkedNonce(
  context: ResponderContext,
  state: ResponderStateOf<"linked">,
  { nonce: na, seq }: MessageOf<"NONCE">,
  datagram: Uint8Array,
): ResponderOutcome {
  const { crypto, random, outOfBand } = context;
  if (!outOfBand) return { refuse: REASON.OOB_NOT_AVAILABLE };
  const nb = random(16);
  const answer = answerOf(context, { type: TYPE.REVEAL, seq, nonce: nb });
  const heard = { ...state, transcript: [...state.transcript, datagram.slice(), answer] };
  const talk = conversation(context, heard, { na, nb, ...rOf(crypto, outOfBand, state.publicA, state.keyPair.public) });
  return { to: { ...heard, name: "exchanged", talk }, answer };
}

/** A link may have been photographed, so a person is asked; who holds a secret was let in by whoever gave it. */
export function onLinkedCheck(
  context: ResponderContext,
  state: ResponderStateOf<"exchanged">,
  { check }: MessageOf<"CHECK">,
): ResponderOutcome {
  const keys = proved(context, state, state.talk, check);
  if ("refuse" in keys) return keys;
  const userYes = context.outOfBand?.kind === "secret";
  const move = whenBothSaidYes(context, { name: "checked", keys, parsedA: state.parsedA, userYes });
  return userYes ? move : { ...move, event: { type: "approve", method: "link", ...question(context, state) } };
}

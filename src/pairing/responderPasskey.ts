import { equalConstantTime } from "#kernel/bytes.js";
import { conversation } from "./conversation.js";
import { xOf } from "./exchange.js";
import { type MessageOf, TYPE } from "./messages.js";
import { PASSKEY_ROUNDS } from "./models.js";
import { passkeyBit, passkeyBlock } from "./passkey.js";
import { REASON } from "./reasons.js";
import { answerOf, question } from "./responderShared.js";
import type {
  Offered,
  ResponderContext,
  ResponderMove,
  ResponderOutcome,
  ResponderStateOf,
} from "./responderStates.js";
import { f4 } from "./toolbox.js";

/** The first commitment takes the letters on the screen: no other attempt will ever see them. Answered when it is counted on disk. */
export function onFirstCommit(
  context: ResponderContext,
  state: ResponderStateOf<"waiting">,
  message: MessageOf<"COMMIT">,
  datagram: Uint8Array,
  passkey: number | undefined,
): ResponderOutcome {
  if (passkey === undefined) return { refuse: REASON.BUSY };
  return { to: { name: "counting", next: committed(context, state, message, datagram, { passkey, round: 0 }) } };
}

export function onCommit(
  context: ResponderContext,
  state: ResponderStateOf<"opened">,
  message: MessageOf<"COMMIT">,
  datagram: Uint8Array,
): ResponderOutcome {
  const { passkey, round, ...offered } = state;
  return committed(context, offered, message, datagram, { passkey, round: round + 1 });
}

export function onRoundNonce(
  context: ResponderContext,
  state: ResponderStateOf<"committed">,
  { nonce: na, seq }: MessageOf<"NONCE">,
  datagram: Uint8Array,
): ResponderOutcome {
  const { commitment, nb, passkey, round, ...offered } = state;
  const [xA, xB] = [xOf(state.publicA), xOf(state.keyPair.public)];
  const expected = f4(context.crypto, xA, xB, na, passkeyBit(passkey, round));
  if (!equalConstantTime(expected, commitment)) return { refuse: REASON.CONFIRM_VALUE_FAILED };
  const answer = answerOf(context, { type: TYPE.REVEAL, seq, nonce: nb });
  const heard = { ...offered, transcript: [...state.transcript, datagram.slice(), answer] };
  if (round + 1 < PASSKEY_ROUNDS) return { to: { ...heard, name: "opened", passkey, round }, answer };
  const r = passkeyBlock(passkey);
  const talk = conversation(context, heard, { na, nb, ra: r, rb: r });
  const event = { type: "approve", method: "code", ...question(context, state) } as const;
  return { to: { ...heard, name: "asking", talk, userYes: false }, answer, event };
}

function committed(
  context: ResponderContext,
  offered: Offered,
  { commitment, seq }: MessageOf<"COMMIT">,
  datagram: Uint8Array,
  { passkey, round }: { readonly passkey: number; readonly round: number },
): ResponderMove {
  const { crypto, random } = context;
  const nb = random(16);
  const own = f4(crypto, xOf(offered.keyPair.public), xOf(offered.publicA), nb, passkeyBit(passkey, round));
  const answer = answerOf(context, { type: TYPE.COMMITTED, seq, commitment: own });
  const transcript = [...offered.transcript, datagram.slice(), answer];
  return { to: { ...offered, name: "committed", commitment, nb, passkey, round, transcript }, answer };
}

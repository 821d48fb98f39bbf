import { equalConstantTime } from "#kernel/bytes.js";
import type { Instant } from "#kernel/ports.js";
import { xOf } from "./exchange.js";
import { checking, pollRequest, request } from "./initiatorShared.js";
import type { InitiatorContext, InitiatorOutcome, InitiatorStateOf, Offered } from "./initiatorStates.js";
import { type MessageOf, STEP, TYPE } from "./messages.js";
import { USER_MS } from "./models.js";
import { REASON } from "./reasons.js";
import { f4, g2 } from "./toolbox.js";

/** Only now, with the commitment in hand, does our nonce leave (PROTOCOL.md §3). */
export function afterOfferNumeric(context: InitiatorContext, offered: Offered): InitiatorOutcome {
  const na = context.random(16);
  const nonce = request(context, { type: TYPE.NONCE, seq: STEP.nonce, nonce: na });
  return {
    to: { name: "nonce", ...offered, na, transcript: [...offered.transcript, nonce.bytes] },
    request: nonce,
  };
}

export function onReveal(
  context: InitiatorContext,
  state: InitiatorStateOf<"nonce">,
  { nonce: nb }: MessageOf<"REVEAL">,
  reveal: Uint8Array,
  now: Instant,
): InitiatorOutcome {
  const { crypto, id } = context;
  const [xA, xB] = [xOf(state.keyPair.public), xOf(state.publicB)];
  if (!equalConstantTime(f4(crypto, xB, xA, nb, 0), state.commitment)) return { refuse: REASON.CONFIRM_VALUE_FAILED };
  const { name: peerName, platform: peerPlatform } = state.parsedB;
  const digits = g2(crypto, xA, xB, state.na, nb);
  return {
    to: {
      ...state,
      name: "comparing",
      nb,
      transcript: [...state.transcript, reveal.slice()],
      userUntil: now + USER_MS,
    },
    request: pollRequest(context, STEP.nonce + 1),
    poll: true,
    event: { type: "digits", id, digits, peerName, peerPlatform },
  };
}

/** The person says: the digits are the same. */
export function onSame(context: InitiatorContext, state: InitiatorStateOf<"comparing">): InitiatorOutcome {
  const none = new Uint8Array(16);
  return checking(context, state, { na: state.na, nb: state.nb, ra: none, rb: none }, state.userUntil);
}

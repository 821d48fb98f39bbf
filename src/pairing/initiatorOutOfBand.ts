import type { Instant } from "#kernel/ports.js";
import { checking, request } from "./initiatorShared.js";
import type { InitiatorContext, InitiatorOutcome, InitiatorStateOf, Offered } from "./initiatorStates.js";
import { type MessageOf, STEP, TYPE } from "./messages.js";
import { USER_MS } from "./models.js";
import { fitsLink, rOf } from "./outOfBand.js";
import { REASON } from "./reasons.js";

export function afterOfferOutOfBand(context: InitiatorContext, offered: Offered): InitiatorOutcome {
  const { crypto, random, outOfBand } = context;
  // Before anything of the link is used: Ea would give it to whoever sent this key (PROTOCOL.md §4).
  if (!outOfBand || !fitsLink(crypto, outOfBand, offered.publicB)) return { refuse: REASON.CONFIRM_VALUE_FAILED };
  const na = random(16);
  const nonce = request(context, { type: TYPE.NONCE, seq: STEP.nonce, nonce: na });
  return {
    to: { ...offered, name: "exchanging", na, transcript: [...offered.transcript, nonce.bytes] },
    request: nonce,
  };
}

export function onExchanged(
  context: InitiatorContext,
  state: InitiatorStateOf<"exchanging">,
  { nonce: nb }: MessageOf<"REVEAL">,
  reveal: Uint8Array,
  now: Instant,
): InitiatorOutcome {
  const { crypto, outOfBand } = context;
  if (!outOfBand) return { refuse: REASON.OOB_NOT_AVAILABLE };
  const r = rOf(crypto, outOfBand, state.keyPair.public, state.publicB);
  const heard = { ...state, transcript: [...state.transcript, reveal.slice()] };
  return checking(context, heard, { na: state.na, nb, ...r }, now + USER_MS);
}

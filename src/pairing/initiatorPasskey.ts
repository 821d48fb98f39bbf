import { equalConstantTime } from "#kernel/bytes.js";
import type { Instant } from "#kernel/ports.js";
import { xOf } from "./exchange.js";
import { checking, pollRequest, request } from "./initiatorShared.js";
import type { InitiatorContext, InitiatorOutcome, InitiatorStateOf, Offered } from "./initiatorStates.js";
import { type MessageOf, STEP, TYPE } from "./messages.js";
import { PASSKEY_ROUNDS, USER_MS } from "./models.js";
import { passkeyBit, passkeyBlock } from "./passkey.js";
import { REASON } from "./reasons.js";
import { f4 } from "./toolbox.js";

/** We enter, the responder displays, never the other way round (PROTOCOL.md §3). */
export function afterOfferPasskey(context: InitiatorContext, offered: Offered, now: Instant): InitiatorOutcome {
  const { name: peerName, platform: peerPlatform } = offered.parsedB;
  return {
    to: { name: "typing", ...offered, userUntil: now + USER_MS },
    request: pollRequest(context, STEP.nonce),
    poll: true,
    event: { type: "code", id: context.id, peerName, peerPlatform },
  };
}

export function onTyped(
  context: InitiatorContext,
  { userUntil: _, ...offered }: InitiatorStateOf<"typing">,
  passkey: number,
): InitiatorOutcome {
  return committing(context, offered, passkey, 0);
}

export function onCommitted(
  context: InitiatorContext,
  state: InitiatorStateOf<"committing">,
  { commitment }: MessageOf<"COMMITTED">,
  committed: Uint8Array,
): InitiatorOutcome {
  const nonce = request(context, { type: TYPE.NONCE, seq: STEP.nonce + 1 + 2 * state.round, nonce: state.na });
  const transcript = [...state.transcript, committed.slice(), nonce.bytes];
  return { to: { ...state, name: "opening", committed: commitment, transcript }, request: nonce };
}

export function onOpened(
  context: InitiatorContext,
  state: InitiatorStateOf<"opening">,
  { nonce: nb }: MessageOf<"REVEAL">,
  reveal: Uint8Array,
  now: Instant,
): InitiatorOutcome {
  const { committed, passkey, round, na, ...offered } = state;
  const expected = f4(context.crypto, xOf(state.publicB), xOf(state.keyPair.public), nb, passkeyBit(passkey, round));
  if (!equalConstantTime(expected, committed)) return { refuse: REASON.CONFIRM_VALUE_FAILED };
  const heard = { ...offered, transcript: [...state.transcript, reveal.slice()] };
  if (round + 1 < PASSKEY_ROUNDS) return committing(context, heard, passkey, round + 1);
  const r = passkeyBlock(passkey);
  return checking(context, heard, { na, nb, ra: r, rb: r }, now + USER_MS);
}

/** One bit of the passkey: commit to it with a nonce of its own, which leaves only when the other side has committed too. */
function committing(context: InitiatorContext, offered: Offered, passkey: number, round: number): InitiatorOutcome {
  const { crypto, random } = context;
  const na = random(16);
  const [xA, xB] = [xOf(offered.keyPair.public), xOf(offered.publicB)];
  const commitment = f4(crypto, xA, xB, na, passkeyBit(passkey, round));
  const commit = request(context, { type: TYPE.COMMIT, seq: STEP.nonce + 2 * round, commitment });
  const transcript = [...offered.transcript, commit.bytes];
  return { to: { ...offered, name: "committing", passkey, round, na, transcript }, request: commit };
}

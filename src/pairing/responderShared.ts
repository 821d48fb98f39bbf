import { equalConstantTime } from "#kernel/bytes.js";
import {
  bondIdOf,
  bondSecret,
  type Conversation,
  deriveKeys,
  isUsableStatic,
  openIdentity,
  type PairingKeys,
  sealIdentity,
  wipe,
} from "./exchange.js";
import { type Body, encodeMessage, type Message, type MessageOf, TYPE } from "./messages.js";
import { traitsOf } from "./models.js";
import { REASON } from "./reasons.js";
import type {
  Offered,
  Question,
  ResponderContext,
  ResponderMove,
  ResponderOutcome,
  ResponderState,
  ResponderStateOf,
} from "./responderStates.js";

export function answerOf({ pid }: ResponderContext, body: Body): Uint8Array {
  return encodeMessage({ ...body, pid } as Message);
}

export function question({ id, from }: ResponderContext, { parsedA }: Pick<Offered, "parsedA">): Question {
  return { id, peerName: parsedA.name, peerPlatform: parsedA.platform, address: from };
}

/** The DHKey is computed here and nowhere else. A wrong Ea ends the attempt. */
export function proved(
  { crypto }: ResponderContext,
  { keyPair, publicA }: Offered,
  talk: Conversation,
  check: Uint8Array,
): PairingKeys | { readonly refuse: number } {
  const dhKey = crypto.p256SharedSecret(keyPair, publicA);
  if (!dhKey) return { refuse: REASON.KEY_REJECTED };
  const keys = deriveKeys(crypto, dhKey, talk);
  dhKey.fill(0);
  if (equalConstantTime(check, keys.checkA)) return keys;
  wipe(keys);
  return { refuse: REASON.DHKEY_CHECK_FAILED };
}

export function onCheck(
  context: ResponderContext,
  state: ResponderStateOf<"asking">,
  { check }: MessageOf<"CHECK">,
): ResponderOutcome {
  const keys = proved(context, state, state.talk, check);
  if ("refuse" in keys) return keys;
  return whenBothSaidYes(context, { name: "checked", keys, parsedA: state.parsedA, userYes: state.userYes });
}

/** Our person said yes. */
export function onYes(context: ResponderContext, state: ResponderState): ResponderMove | undefined {
  if (state.name === "asking") return { to: { ...state, userYes: true } };
  return state.name === "checked" ? whenBothSaidYes(context, { ...state, userYes: true }) : undefined;
}

/** Both people said yes and Ea is right: only now does Eb leave. */
export function whenBothSaidYes(context: ResponderContext, state: ResponderStateOf<"checked">): ResponderMove {
  if (!state.userYes) return { to: state };
  const { keys, parsedA } = state;
  const { checkSeq } = traitsOf(context.model);
  const answer = answerOf(context, { type: TYPE.CHECKED, seq: checkSeq, check: keys.checkB.slice() });
  return { to: { name: "ident", keys, parsedA }, answer };
}

/** The bond goes to disk first; our identity leaves when it is there. */
export function onIdent(
  context: ResponderContext,
  { keys, parsedA }: ResponderStateOf<"ident">,
  { sealed, seq }: MessageOf<"IDENT">,
): ResponderOutcome {
  const { crypto, identity, from, id } = context;
  const opened = openIdentity(crypto, keys, "hf1 ir", sealed);
  if (!opened || !isUsableStatic(crypto, opened.staticPublic, identity.staticPublic))
    return { refuse: REASON.DHKEY_CHECK_FAILED };
  const psk = bondSecret(crypto, keys, opened.staticPublic, identity.staticPublic);
  const { name, platform } = parsedA;
  const upgrades = parsedA.upgrades & (identity.upgrades ?? 0);
  const peer = { ...opened, name, platform, upgrades, psk, bondId: bondIdOf(crypto, keys), address: from };
  const answer = answerOf(context, {
    type: TYPE.IDENTIFIED,
    seq,
    sealed: sealIdentity(crypto, keys, "hf1 ri", identity),
  });
  return { to: { name: "storing", peer, answer }, event: { type: "provisional", id, peer } };
}

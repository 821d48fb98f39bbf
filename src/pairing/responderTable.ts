import { type Message, type MessageOf, nameOf, type TypeName } from "./messages.js";
import { onNonce } from "./responderNumeric.js";
import { onLinkedCheck, onLinkedNonce } from "./responderOutOfBand.js";
import { onCommit, onFirstCommit, onRoundNonce } from "./responderPasskey.js";
import { onCheck, onIdent } from "./responderShared.js";
import type { ResponderContext, ResponderOutcome, ResponderState, ResponderStateOf } from "./responderStates.js";

type Handler<State, Name extends TypeName> = (
  context: ResponderContext,
  state: State,
  message: MessageOf<Name>,
  datagram: Uint8Array,
  /** The letters on the screen that no attempt has taken. */
  passkey: number | undefined,
) => ResponderOutcome;

type Row<State> = { readonly [Name in TypeName]?: Handler<State, Name> };

/** The table of PROTOCOL.md §3: what is not in it is dropped. Repeats, POLL and ABORT are the same in every state and not listed. */
const TABLE: { readonly [Name in ResponderState["name"]]: Row<ResponderStateOf<Name>> } = {
  offered: { NONCE: onNonce },
  waiting: { COMMIT: onFirstCommit },
  committed: { NONCE: onRoundNonce },
  opened: { COMMIT: onCommit },
  linked: { NONCE: onLinkedNonce },
  exchanged: { CHECK: onLinkedCheck },
  counting: {},
  asking: { CHECK: onCheck },
  checked: {},
  ident: { IDENT: onIdent },
  storing: {},
  over: {},
};

/** What `message` leads to in `state`; undefined: drop it. */
export function responderMove(
  context: ResponderContext,
  state: ResponderState,
  message: Message,
  datagram: Uint8Array,
  passkey: number | undefined,
): ResponderOutcome | undefined {
  // The table's types tie each cell to its state and message; looking one up loses that tie.
  const row = TABLE[state.name] as Row<ResponderState>;
  const handler = row[nameOf(message.type)] as Handler<ResponderState, TypeName> | undefined;
  return handler?.(context, state, message, datagram, passkey);
}

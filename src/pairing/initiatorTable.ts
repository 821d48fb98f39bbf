import type { Instant } from "#kernel/ports.js";
import { afterOfferNumeric, onReveal } from "./initiatorNumeric.js";
import { afterOfferOutOfBand, onExchanged } from "./initiatorOutOfBand.js";
import { afterOfferPasskey, onCommitted, onOpened } from "./initiatorPasskey.js";
import { checkOffer, onChecked, onDelayed, onIdentified, onRetry, onWait } from "./initiatorShared.js";
import type { InitiatorContext, InitiatorOutcome, InitiatorState, InitiatorStateOf } from "./initiatorStates.js";
import { type Message, type MessageOf, nameOf, type TypeName } from "./messages.js";
import { MODEL } from "./models.js";

type Handler<State, Name extends TypeName> = (
  context: InitiatorContext,
  state: State,
  message: MessageOf<Name>,
  datagram: Uint8Array,
  now: Instant,
) => InitiatorOutcome;

type Row<State> = { readonly [Name in TypeName]?: Handler<State, Name> };

/** The table of PROTOCOL.md §3: what is not in it is dropped. ABORT ends every state but the last two and is not listed. */
const TABLE: { readonly [Name in InitiatorState["name"]]: Row<InitiatorStateOf<Name>> } = {
  hello: { RETRY: onRetry },
  started: { OFFER: onOffer, WAIT: onDelayed },
  nonce: { REVEAL: onReveal },
  comparing: { WAIT: onWait },
  typing: { WAIT: onWait },
  committing: { COMMITTED: onCommitted },
  opening: { REVEAL: onOpened },
  exchanging: { REVEAL: onExchanged },
  check: { CHECKED: onChecked, WAIT: onWait },
  ident: { IDENTIFIED: onIdentified },
  storing: {},
  over: {},
};

/** What `message` leads to in `state`; undefined: drop it. */
export function initiatorMove(
  context: InitiatorContext,
  state: InitiatorState,
  message: Message,
  datagram: Uint8Array,
  now: Instant,
): InitiatorOutcome | undefined {
  // The table's types tie each cell to its state and message; looking one up loses that tie.
  const row = TABLE[state.name] as Row<InitiatorState>;
  const handler = row[nameOf(message.type)] as Handler<InitiatorState, TypeName> | undefined;
  return handler?.(context, state, message, datagram, now);
}

function onOffer(
  context: InitiatorContext,
  state: InitiatorStateOf<"started">,
  message: MessageOf<"OFFER">,
  datagram: Uint8Array,
  now: Instant,
): InitiatorOutcome {
  const offered = checkOffer(context, state, message, datagram);
  if ("refuse" in offered) return offered;
  if (context.model === MODEL.numeric) return afterOfferNumeric(context, offered);
  if (context.model === MODEL.passkey) return afterOfferPasskey(context, offered, now);
  return afterOfferOutOfBand(context, offered);
}

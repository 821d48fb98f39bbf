import { explore, type Verdict } from "./explore.js";

// Who has fixed what before knowing what. An attacker E sits between A, the client, and B, the PC. A's digits are made of
// PKa, E's key, Na and E's nonce x; B's of E's key, PKb, E's nonce y and Nb. Twenty bits are searched through in milliseconds:
// E has won when it fixes its last free value knowing all others.

export interface OrderVariant {
  readonly name: string;
  /** B commits to its nonce before it hears A's. */
  readonly commitment: boolean;
  readonly checked: boolean;
  /** A sends its nonce before the commitment has come. */
  readonly earlyNonce?: boolean;
  /** B's nonce is known from an earlier attempt. */
  readonly reused?: boolean;
  /** B reveals its nonce before E's is fixed. */
  readonly revealedFirst?: boolean;
  readonly holds: boolean;
}

export const ORDER_VARIANTS: readonly OrderVariant[] = [
  { name: "as specified: B commits, then Na, then Nb", commitment: true, checked: true, holds: true },
  { name: "no commitment, Na then Nb", commitment: false, checked: false, holds: false },
  {
    name: "no commitment, Nb before E's nonce is fixed",
    commitment: false,
    checked: false,
    revealedFirst: true,
    holds: false,
  },
  { name: "commitment not checked by A", commitment: true, checked: false, holds: false },
  { name: "Na leaves before the commitment has come", commitment: true, checked: true, earlyNonce: true, holds: false },
  { name: "Nb used again after a failed attempt", commitment: true, checked: true, reused: true, holds: false },
];

type Event = "PKa" | "PKb" | "Na" | "Nb" | "keyA" | "keyB" | "x" | "open x" | "y";
const HONEST: readonly Event[] = ["PKa", "PKb", "Na", "Nb"];
const FREE: readonly Event[] = ["keyA", "keyB", "x", "y"];

interface State {
  /** How far the conversation with A, and the one with B, has come. */
  readonly withA: number;
  readonly withB: number;
  readonly known: readonly Event[];
  readonly fixed: readonly Event[];
  readonly won: boolean;
}

/** The steps of E's two conversations, in the only order in which each can happen. */
function conversations(variant: OrderVariant): { a: readonly Event[]; b: readonly Event[] } {
  const bound = variant.commitment && variant.checked;
  const fix: readonly Event[] = bound ? ["x"] : [];
  const open: Event = bound ? "open x" : "x";
  const a: readonly Event[] = variant.earlyNonce
    ? ["PKa", "keyA", "Na", ...fix, open]
    : ["PKa", "keyA", ...fix, "Na", open];
  const b: readonly Event[] = variant.revealedFirst ? ["keyB", "PKb", "Nb", "y"] : ["keyB", "PKb", "y", "Nb"];
  return { a, b };
}

export function checkOrder(variant: OrderVariant): Verdict {
  const { a, b } = conversations(variant);
  const take = (state: State, event: Event): Pick<State, "known" | "fixed" | "won"> => {
    const known = HONEST.includes(event) ? [...new Set([...state.known, event])] : state.known;
    if (!FREE.includes(event)) return { known, fixed: state.fixed, won: state.won };
    const last = FREE.every((other) => other === event || state.fixed.includes(other));
    const informed = HONEST.every((value) => state.known.includes(value));
    return { known, fixed: [...state.fixed, event], won: state.won || (last && informed) };
  };
  const start: State = { withA: 0, withB: 0, known: variant.reused ? ["Nb"] : [], fixed: [], won: false };
  return explore<State>(
    {
      start,
      key: ({ withA, withB, known, fixed, won }) => `${withA} ${withB} ${[...known].sort()} ${fixed} ${won}`,
      next: (state, step) => {
        const [toA, toB] = [a[state.withA], b[state.withB]];
        if (toA) step(`A: ${toA}`, { ...state, ...take(state, toA), withA: state.withA + 1 });
        if (toB) step(`B: ${toB}`, { ...state, ...take(state, toB), withB: state.withB + 1 });
      },
      violated: ({ won }) => (won ? "E fixes its last value knowing all others" : undefined),
    },
    10_000,
  );
}

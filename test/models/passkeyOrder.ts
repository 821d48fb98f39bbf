import { explore, type Verdict } from "./explore.js";

// One of the twenty rounds of passkey entry: both sides commit to one bit of the passkey and open it. E, in the middle, may guess
// the bit; it must not be able to wait until it knows it. A is the client (types), B the PC (shows).

export interface PasskeyVariant {
  readonly name: string;
  /** A opens its commitment before the other one has come. */
  readonly earlyNonce?: boolean;
  /** B opens without having checked what A opened. */
  readonly unchecked?: boolean;
  /** The passkey was used before: twenty traces give it away. */
  readonly reused?: boolean;
  readonly holds: boolean;
}

export const PASSKEY_VARIANTS: readonly PasskeyVariant[] = [
  { name: "as specified: Ca, Cb, Na, Nb, each checked, a new passkey each time", holds: true },
  { name: "Na leaves before Cb has come", earlyNonce: true, holds: false },
  { name: "Nb leaves although Ca does not fit", unchecked: true, holds: false },
  { name: "the passkey of an earlier attempt", reused: true, holds: false },
];

type Event = "Ca" | "E commits to A" | "Na" | "E opens to A" | "E commits to B" | "Cb" | "E opens to B" | "Nb";

interface State {
  readonly withA: number;
  readonly withB: number;
  /** E knows the bit. */
  readonly knows: boolean;
  /** What E has committed to: nothing yet, blindly, or knowing. */
  readonly toA: "" | "blind" | "sure";
  readonly toB: "" | "blind" | "sure";
}

export function checkPasskeyOrder(variant: PasskeyVariant): Verdict {
  const a: readonly Event[] = variant.earlyNonce
    ? ["Ca", "Na", "E commits to A", "E opens to A"]
    : ["Ca", "E commits to A", "Na", "E opens to A"];
  const b: readonly Event[] = ["E commits to B", "Cb", "E opens to B", "Nb"];
  const start: State = { withA: 0, withB: 0, knows: variant.reused === true, toA: "", toB: "" };
  return explore<State>(
    {
      start,
      key: (state) => Object.values(state).join(),
      next: (state, step) => {
        const [inA, inB] = [a[state.withA], b[state.withB]];
        const commit = state.knows ? "sure" : "blind";
        if (inA) {
          const heard = inA === "Na" ? { knows: true } : inA === "E commits to A" ? ({ toA: commit } as const) : {};
          step(inA, { ...state, ...heard, withA: state.withA + 1 });
        }
        // B stops when what E opens does not fit; a blind commitment fits by luck only, and luck is counted elsewhere.
        if (!inB || (inB === "Nb" && state.toB === "blind" && !variant.unchecked)) return;
        const heard = inB === "Nb" ? { knows: true } : inB === "E commits to B" ? ({ toB: commit } as const) : {};
        step(inB, { ...state, ...heard, withB: state.withB + 1 });
      },
      violated: ({ toA, toB, withB }) => {
        if (toA === "sure" && (toB === "sure" || withB === b.length)) return "E passes both sides without guessing";
        return undefined;
      },
    },
    10_000,
  );
}

import type { Input, LocalState } from "./agents.js";

/** Yes when both screens show the same; what one screen asks for is typed as the other one shows it; who was seen to begin is let in. */
export function whatThePersonDoes(state: LocalState, other: LocalState): Input | undefined {
  if (state.asks?.for === "letters") {
    const text = other.letters ?? other.screen?.digits;
    return text === undefined ? undefined : { kind: "type", screen: state.asks.id, text };
  }
  if (state.asks?.for === "approval")
    return { kind: other.over && other.bonds.length === 0 ? "no" : "yes", screen: state.asks.id };
  if (!state.screen || !other.screen) return undefined;
  return { kind: state.screen.digits === other.screen.digits ? "yes" : "no", screen: state.screen.id };
}

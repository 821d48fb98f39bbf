import { explore, type Verdict } from "./explore.js";

// The change from the keys of epoch n to those of n+1 inside a channel, over a link that loses, repeats and reorders:
// each side must be able to open what the other one sends now. I starts, R answers (transport PROTOCOL.md).

export type RekeyVariant = "specified" | "answerInNew" | "eraseAtAnswer" | "eraseAtInit";

export const REKEY_VARIANTS: readonly {
  readonly name: string;
  readonly variant: RekeyVariant;
  readonly holds: boolean;
}[] = [
  {
    name: "as specified: R changes when it has opened a packet of I in n+1, old keys go last",
    variant: "specified",
    holds: true,
  },
  { name: "R sends in n+1 as soon as it has answered", variant: "answerInNew", holds: false },
  { name: "I erases n when the answer comes", variant: "eraseAtAnswer", holds: false },
  { name: "R erases n when it answers", variant: "eraseAtInit", holds: false },
];

const MAX_ON_WIRE = 2;
/** A packet: what it carries, and the epoch (0: n, 1: n+1) it is sealed in. */
type Packet = "init 0" | "answer 0" | "answer 1" | "data 0" | "data 1";

interface Side {
  readonly sends: 0 | 1;
  readonly holds: readonly (0 | 1)[];
  /** It has opened a packet of n+1, so the other side holds those keys too. */
  readonly settled: boolean;
}

interface State {
  readonly i: Side;
  readonly r: Side;
  readonly toR: readonly Packet[];
  readonly toI: readonly Packet[];
}

export function checkRekeySwitch(variant: RekeyVariant): Verdict {
  const side: Side = { sends: 0, holds: [0], settled: false };
  return explore<State>(
    {
      start: { i: side, r: side, toR: [], toI: [] },
      key: (state) => JSON.stringify(state),
      next: (state, step) => {
        sends(state, step);
        for (const packet of new Set(state.toR)) arrivesAtR(state, packet, variant, step);
        for (const packet of new Set(state.toI)) arrivesAtI(state, packet, variant, step);
        for (const who of ["i", "r"] as const)
          if (state[who].settled && state[who].holds.includes(0))
            step(`${who} erases n`, { ...state, [who]: { ...state[who], holds: [1] } });
      },
      violated: ({ i, r }) => {
        if (!r.holds.includes(i.sends)) return "R cannot open what I sends now";
        return i.holds.includes(r.sends) ? undefined : "I cannot open what R sends now";
      },
    },
    200_000,
  );
}

type Step = (label: string, to: State) => void;

/** Both ends may send data, and I repeats its first message, whenever there is room on the wire. */
function sends(state: State, step: Step): void {
  const { i, r, toR, toI } = state;
  const put = (wire: readonly Packet[], packet: Packet): readonly Packet[] => [...wire, packet].sort();
  if (toR.length < MAX_ON_WIRE) {
    step("I: data", { ...state, toR: put(toR, `data ${i.sends}`) });
    if (!i.holds.includes(1)) step("I: new keys", { ...state, toR: put(toR, "init 0") });
  }
  if (toI.length < MAX_ON_WIRE) step("R: data", { ...state, toI: put(toI, `data ${r.sends}`) });
  for (const packet of new Set(toR)) step(`${packet} is lost`, { ...state, toR: without(toR, packet) });
  for (const packet of new Set(toI)) step(`${packet} is lost`, { ...state, toI: without(toI, packet) });
}

function arrivesAtR(state: State, packet: Packet, variant: RekeyVariant, step: Step): void {
  const { r, toR, toI } = state;
  const read = { ...state, toR: without(toR, packet) };
  if (packet === "data 1" && r.holds.includes(1))
    step("R opens n+1", { ...read, r: { ...r, sends: 1, settled: true } });
  else if (packet === "init 0" && r.holds.includes(0) && toI.length < MAX_ON_WIRE) {
    const kept: Side["holds"] = variant === "eraseAtInit" ? [1] : r.settled ? r.holds : [0, 1];
    const now: Side = { ...r, holds: kept, sends: variant === "answerInNew" ? 1 : r.sends };
    const answer: Packet = variant === "answerInNew" ? "answer 1" : `answer ${r.sends}`;
    step("R answers", { ...read, r: now, toI: [...toI, answer].sort() });
  } else step("R drops or reads", read);
}

function arrivesAtI(state: State, packet: Packet, variant: RekeyVariant, step: Step): void {
  const { i, toI } = state;
  const read = { ...state, toI: without(toI, packet) };
  const epoch = packet.endsWith("1") ? 1 : 0;
  if (packet.startsWith("answer") && epoch === 0 && !i.holds.includes(1))
    step("I takes n+1", { ...read, i: { ...i, sends: 1, holds: variant === "eraseAtAnswer" ? [1] : [0, 1] } });
  else if (epoch === 1 && i.holds.includes(1)) step("I opens n+1", { ...read, i: { ...i, settled: true } });
  else step("I drops or reads", read);
}

function without(wire: readonly Packet[], packet: Packet): readonly Packet[] {
  const at = wire.indexOf(packet);
  return wire.filter((_, i) => i !== at);
}

import { explore, type Verdict } from "./explore.js";

// The bond's secret in generations: each confirmed connection makes the next one. The client holds generations low..high, the PC
// accepts low..high; links lose, delay and crash, and E replays a recorded INIT for ever. Twin of pairing-ratchet.pml, smaller bounds.

export type RatchetVariant = "specified" | "alarmOnInit" | "oneSlot" | "forgetOld";

export const RATCHET_VARIANTS: readonly {
  readonly name: string;
  readonly variant: RatchetVariant;
  readonly holds: boolean;
}[] = [
  {
    name: "as specified: two generations on both sides, alarm after a confirmed handshake only",
    variant: "specified",
    holds: true,
  },
  { name: "alarm on an INIT alone", variant: "alarmOnInit", holds: false },
  { name: "the PC keeps one generation", variant: "oneSlot", holds: false },
  { name: "the client forgets the old generation at RESPONSE", variant: "forgetOld", holds: false },
];

const MAX_GENERATION = 3;
const MAX_SESSIONS = 3;
const MAX_CRASHES = 1;
const MAX_WAITING = 2;

type Kind = 1 | 2; // INIT, DATA
/** Kind, generation, session. */
type Message = readonly [Kind, number, number];

interface State {
  readonly clientLow: number;
  readonly clientHigh: number;
  readonly using: number;
  readonly sessions: number;
  readonly pcLow: number;
  readonly pcHigh: number;
  readonly pending: readonly [generation: number, session: number] | undefined;
  readonly crashes: number;
  readonly alarm: boolean;
  readonly toPc: readonly Message[];
  readonly toClient: readonly [generation: number, session: number] | undefined;
  readonly recorded: readonly [generation: number, session: number] | undefined;
}

type Step = (label: string, to: State) => void;

export function checkRatchet(variant: RatchetVariant, limit = 2_000_000): Verdict {
  const start: State = {
    ...{ clientLow: 1, clientHigh: 1, using: 0, sessions: 0, pcLow: 1, pcHigh: 1, pending: undefined, crashes: 0 },
    ...{ alarm: false, toPc: [], toClient: undefined, recorded: undefined },
  };
  return explore<State>(
    {
      start,
      key: keyOf,
      next: (state, step) => {
        clientSteps(state, variant, step);
        pcSteps(state, variant, step);
        attackerSteps(state, step);
      },
      violated: ({ alarm, clientLow, clientHigh, pcLow, pcHigh }) => {
        if (alarm) return "a false alarm: nobody has copied the bond";
        return clientHigh < pcLow || clientLow > pcHigh ? "no common generation: the bond is dead" : undefined;
      },
    },
    limit,
  );
}

/** All fields are below 4, so two bits each are enough for a number that is exact. */
function keyOf(state: State): number {
  const { clientLow, clientHigh, using, sessions, pcLow, pcHigh, pending, crashes, toPc, toClient, recorded } = state;
  let key = 0;
  const add = (value: number, below: number): void => {
    key = key * below + value;
  };
  for (const value of [clientLow, clientHigh, using, sessions, pcLow, pcHigh]) add(value, 5);
  add(crashes, 2);
  add(state.alarm ? 1 : 0, 2);
  for (const pair of [pending, toClient, recorded]) add(pair ? 1 + pair[0] * 4 + pair[1] : 0, 21);
  for (let i = 0; i < MAX_WAITING; i++) {
    const message = toPc[i];
    add(message ? 1 + message[0] * 20 + message[1] * 4 + message[2] : 0, 61);
  }
  return key;
}

function clientSteps(state: State, variant: RatchetVariant, step: Step): void {
  const { clientLow, clientHigh, using, sessions, toPc, toClient } = state;
  if (using === 0 && clientHigh < MAX_GENERATION && sessions < MAX_SESSIONS)
    for (const generation of new Set([clientLow, clientHigh]))
      step(`client dials with ${generation}`, { ...state, using: generation, sessions: sessions + 1 });
  if (using !== 0 && toPc.length < MAX_WAITING)
    step("client: INIT", { ...state, toPc: [...toPc, [1, using, sessions]] });
  if (using !== 0) step("client stops", { ...state, using: 0 });
  if (!toClient) return;
  const [generation, session] = toClient;
  const heard = { ...state, toClient: undefined };
  if (using === 0 || generation !== using || session !== sessions) {
    step("client drops RESPONSE", heard);
    return;
  }
  const next = generation + 1;
  const data: readonly Message[] = toPc.length < MAX_WAITING ? [...toPc, [2, generation, session]] : toPc;
  const low = variant === "forgetOld" ? next : generation;
  step("client writes the next generation: DATA", { ...heard, clientLow: low, clientHigh: next, toPc: data, using: 0 });
}

function pcSteps(state: State, variant: RatchetVariant, step: Step): void {
  const { toPc, pcLow, pcHigh, pending, toClient, crashes } = state;
  if (pending && crashes < MAX_CRASHES) step("PC restarts", { ...state, pending: undefined, crashes: crashes + 1 });
  const [first, ...rest] = toPc;
  if (!first) return;
  const [kind, generation, session] = first;
  const read: State = { ...state, toPc: rest };
  if (kind === 1) {
    if (generation > pcHigh) return step("PC drops INIT", read);
    const alarm = state.alarm || (variant === "alarmOnInit" && generation < pcLow);
    const answer = toClient ?? ([generation, session] as const);
    return step("PC: RESPONSE", { ...read, alarm, pending: [generation, session], toClient: answer });
  }
  if (!pending || pending[0] !== generation || pending[1] !== session) return step("PC drops DATA", read);
  if (generation < pcLow) return step("PC: clone alarm", { ...read, pending: undefined, alarm: true });
  const low = variant === "oneSlot" ? generation + 1 : generation;
  return step("PC confirms", { ...read, pending: undefined, pcLow: low, pcHigh: generation + 1 });
}

function attackerSteps(state: State, step: Step): void {
  const { toPc, toClient, recorded } = state;
  const [first, ...rest] = toPc;
  if (first) step("a message to the PC is lost", { ...state, toPc: rest });
  if (toClient) step("a message to the client is lost", { ...state, toClient: undefined });
  if (first?.[0] === 1 && !recorded) step("E keeps INIT", { ...state, toPc: rest, recorded: [first[1], first[2]] });
  if (recorded && toPc.length < MAX_WAITING) step("E: INIT again", { ...state, toPc: [...toPc, [1, ...recorded]] });
}

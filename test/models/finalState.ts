import { explore, type Verdict } from "./explore.js";

// The end of a pairing over a link that loses anything: who may hold which bond. The TypeScript twin of pairing-final.pml.

export type FinalVariant = "specified" | "naive" | "sendFirst" | "expire";

export const FINAL_VARIANTS: readonly {
  readonly name: string;
  readonly variant: FinalVariant;
  readonly holds: boolean;
}[] = [
  {
    name: "as specified: provisional is written before IDENTIFIED, the channel confirms",
    variant: "specified",
    holds: true,
  },
  { name: "both sides final at once, the PC forgets the attempt", variant: "naive", holds: false },
  { name: "IDENTIFIED leaves before the bond is written", variant: "sendFirst", holds: false },
  { name: "the PC drops a provisional bond early", variant: "expire", holds: false },
];

type Bond = 0 | 1 | 2; // none, provisional, confirmed
type ToServer = "IDENT" | "INIT" | undefined;
type ToClient = "IDENTIFIED" | "RESPONSE" | undefined;

interface State {
  readonly client: Bond;
  readonly server: Bond;
  readonly gaveUp: boolean;
  /** The PC no longer knows the attempt. */
  readonly gone: boolean;
  readonly tries: number;
  readonly toServer: ToServer;
  readonly toClient: ToClient;
}

const MAX_TRIES = 4;

export function checkFinalState(variant: FinalVariant): Verdict {
  const start: State = {
    ...{ client: 0, server: 0, gaveUp: false, gone: false, tries: 0 },
    ...{ toServer: undefined, toClient: undefined },
  };
  return explore<State>(
    {
      start,
      key: (state) => Object.values(state).join(),
      next: (state, step) => {
        clientSteps(state, variant, step);
        serverSteps(state, variant, step);
        if (state.toServer) step(`${state.toServer} is lost`, { ...state, toServer: undefined });
        if (state.toClient) step(`${state.toClient} is lost`, { ...state, toClient: undefined });
      },
      violated: ({ client, server }) => {
        if (client === 2 && server === 0) return "the client's bond is final, the PC has none";
        if (server === 2 && client === 0) return "the PC's bond is final, the client has none";
        return client >= 1 && server === 0 ? "the client holds a bond that the PC cannot honour" : undefined;
      },
    },
    100_000,
  );
}

type Step = (label: string, to: State) => void;

function clientSteps(state: State, variant: FinalVariant, step: Step): void {
  const { client, gaveUp, tries, toServer, toClient } = state;
  if (client === 0 && !gaveUp && tries < MAX_TRIES && !toServer)
    step("client: IDENT", { ...state, toServer: "IDENT", tries: tries + 1 });
  if (client === 0 && !gaveUp && tries === MAX_TRIES) step("client gives up", { ...state, gaveUp: true });
  if (toClient === "IDENTIFIED") {
    const gains = client === 0 && !gaveUp;
    const bond = variant === "naive" ? 2 : 1;
    step("client reads IDENTIFIED", { ...state, toClient: undefined, client: gains ? bond : client });
  }
  if (variant === "naive") return;
  if (client >= 1 && !toServer) step("client: INIT", { ...state, toServer: "INIT" });
  if (toClient === "RESPONSE")
    step("client reads RESPONSE", { ...state, toClient: undefined, client: client === 1 ? 2 : client });
}

function serverSteps(state: State, variant: FinalVariant, step: Step): void {
  const { server, gone, toServer, toClient } = state;
  const read = { ...state, toServer: undefined };
  if (toServer === "IDENT" && gone) step("PC drops IDENT", read);
  if (toServer === "IDENT" && !gone) {
    const answered: State = { ...read, toClient: toClient ?? "IDENTIFIED" };
    if (variant === "naive") step("PC: final, IDENTIFIED", { ...answered, server: 2, gone: true });
    else step("PC writes, then IDENTIFIED", { ...answered, server: server === 0 ? 1 : server });
    if (variant === "sendFirst") step("PC: IDENTIFIED, then a crash", { ...answered, server: 0, gone: true });
  }
  if (toServer === "INIT" && server >= 1)
    step("PC: RESPONSE", { ...read, server: 2, toClient: toClient ?? "RESPONSE" });
  if (toServer === "INIT" && server === 0) step("PC drops INIT", read);
  if (variant === "expire" && server === 1) step("PC drops the provisional bond", { ...state, server: 0, gone: true });
}

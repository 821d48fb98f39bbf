import { loadMutated, type Mutant } from "../attacks/mutants.js";
import type { Twin } from "../attacks/pairingMutants.js";
import { searchPairing } from "./dolevYao.js";
import type { Verdict } from "./explore.js";
import { checkFinalState, FINAL_VARIANTS } from "./finalState.js";
import { checkOrder, ORDER_VARIANTS } from "./order.js";
import { checkPasskeyOrder, PASSKEY_VARIANTS } from "./passkeyOrder.js";
import { checkRatchet, RATCHET_VARIANTS } from "./ratchet.js";
import { checkRekeySwitch, REKEY_VARIANTS } from "./rekeySwitch.js";

/** One line of the table in PROTOCOL.md. */
export interface Row {
  readonly model: string;
  readonly variant: string;
  readonly verdict: Verdict;
  readonly shouldHold: boolean;
}

const LIMIT = 40_000;

/** What the search is run on: who is there, how often they try. */
export const SCENARIOS = [
  { name: "one person, a phone that tries once, a PC that takes one attempt", people: 1, attempts: 1, sessions: 1 },
  { name: "the same, and the PC takes two attempts", people: 1, attempts: 1, sessions: 2 },
  { name: "two people, two phones, two PCs, one attempt each", people: 2, attempts: 1, sessions: 1 },
] as const;

/** Checks of the product without which the search must find an attack. */
export const SEARCHED_TWINS: readonly string[] = [
  "no-commitment",
  "commitment-unchecked",
  "nonce-early",
  "nonce-reused",
  "one-sided-yes",
  "ident-early",
  "transcript-without-m1",
  "transcript-without-m2",
  "features-unbound",
  "weak-point-phone",
];

/** All models and all their broken variants. `twins`: the product's mutants, which have been made importable before. */
export async function runModels(twins: readonly Twin[]): Promise<Row[]> {
  const rows: Row[] = [];
  for (const variant of ORDER_VARIANTS)
    rows.push({ model: "order", variant: variant.name, verdict: checkOrder(variant), shouldHold: variant.holds });
  for (const variant of PASSKEY_VARIANTS)
    rows.push({
      ...{ model: "passkey order", variant: variant.name },
      ...{ verdict: checkPasskeyOrder(variant), shouldHold: variant.holds },
    });
  for (const { name, variant, holds } of FINAL_VARIANTS)
    rows.push({ model: "final state", variant: name, verdict: checkFinalState(variant), shouldHold: holds });
  for (const { name, variant, holds } of RATCHET_VARIANTS)
    rows.push({ model: "ratchet", variant: name, verdict: checkRatchet(variant), shouldHold: holds });
  for (const { name, variant, holds } of REKEY_VARIANTS)
    rows.push({ model: "rekey", variant: name, verdict: checkRekeySwitch(variant), shouldHold: holds });
  for (const { name, ...scenario } of SCENARIOS)
    rows.push({ model: "attacker", variant: name, verdict: searchPairing(scenario, LIMIT), shouldHold: true });
  for (const id of SEARCHED_TWINS) {
    const twin = twins.find((one) => one.id === id);
    if (!twin) throw new Error(`there is no mutant ${id}`);
    rows.push({
      model: "attacker",
      variant: `without ${twin.without}`,
      verdict: await searchMutant(twin),
      shouldHold: false,
    });
  }
  return rows;
}

async function searchMutant(mutant: Mutant): Promise<Verdict> {
  const module = await loadMutated<{ searchPairing: typeof searchPairing }>("../models/dolevYao.js", mutant);
  // What is reused has to be learned in an attempt before.
  const sessions = mutant.id === "nonce-reused" ? 2 : 1;
  return module.searchPairing({ people: 1, attempts: 1, sessions }, LIMIT);
}

/** The rows as PROTOCOL.md shows them. */
export function tableOf(rows: readonly Row[]): string {
  const lines = rows.map(({ model, variant, verdict }) => {
    const { states, complete, broken, trace } = verdict;
    const result = broken
      ? `broken in ${trace?.length} steps: ${broken}`
      : complete
        ? "holds"
        : "holds so far (bounded)";
    return `| ${model} | ${variant} | ${states} | ${result} |`;
  });
  return ["| model | variant | states | result |", "|---|---|---|---|", ...lines].join("\n");
}

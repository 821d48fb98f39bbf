import { type Edit, loadMutated, type Mutant } from "../attacks/mutants.js";
import type { Twin } from "../attacks/twins.js";
import { type reachesBond, type Scenario, searchPairing } from "./dolevYao.js";
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

const LIMIT = 10_000;

/** What the search is run on: who is there, how often they try. */
const SCENARIOS = [
  { name: "one person, a phone that tries once, a PC that takes one attempt", people: 1, attempts: 1, sessions: 1 },
  { name: "the same, and the PC takes two attempts", people: 1, attempts: 1, sessions: 2 },
  { name: "two people, two phones, two PCs, one attempt each", people: 2, attempts: 1, sessions: 1 },
] as const;

const ONE: Pick<Scenario, "people" | "attempts"> = { people: 1, attempts: 1 };
const lettersOnce: Scenario = { ...ONE, sessions: 1, pcWay: "code", clientWay: "code" };
const lettersTwice: Scenario = { ...lettersOnce, sessions: 2 };
const digitsForLetters: Scenario = { ...ONE, sessions: 2, pcWay: "compare", clientWay: "code" };
const lettersForDigits: Scenario = { ...ONE, sessions: 2, pcWay: "code", clientWay: "compare" };
/** The same with letters: two rounds instead of twenty, to be searched through; the letters stay five. */
const LETTER_SCENARIOS: readonly { readonly name: string; readonly scenario: Scenario }[] = [
  { name: "letters, the PC takes one attempt", scenario: lettersOnce },
  { name: "letters, the PC takes two attempts", scenario: lettersTwice },
  { name: "the PC shows digits, the phone asks for letters", scenario: digitsForLetters },
  { name: "the PC shows letters, the phone shows digits", scenario: lettersForDigits },
];
const LETTER_TWINS: readonly { readonly id: string; readonly scenario: Scenario }[] = [
  { id: "same-x-letters", scenario: lettersOnce },
  { id: "letters-reused", scenario: lettersTwice },
  { id: "digits-as-letters", scenario: digitsForLetters },
];
/** The same out of band: nothing is compared, and the attacker has not seen what both know. */
const linkOnce: Scenario = { ...ONE, sessions: 1, pcWay: "link", clientWay: "link" };
const linkTwice: Scenario = { ...linkOnce, sessions: 2 };
const secretOnce: Scenario = { ...ONE, sessions: 1, pcWay: "secret", clientWay: "secret" };
const OUT_OF_BAND_SCENARIOS: readonly { readonly name: string; readonly scenario: Scenario }[] = [
  { name: "a link, the PC takes one attempt", scenario: linkOnce },
  { name: "a link, the PC takes two attempts", scenario: linkTwice },
  { name: "a secret that both were given, the PC takes one attempt", scenario: secretOnce },
];
const OUT_OF_BAND_TWINS: readonly { readonly id: string; readonly without: string; readonly scenario: Scenario }[] = [
  { id: "link-unchecked", without: "the link's proof of the PC's key", scenario: linkOnce },
  { id: "transcript-without-m2", without: "OFFER in the transcript, with a link", scenario: linkOnce },
  { id: "secret-unused", without: "the secret in checks and transcript", scenario: secretOnce },
];
/** Only for the search: the attack is the one on a pairing without any check by a person. */
const secretUnused: Mutant = {
  id: "secret-unused",
  without: "the secret in checks and transcript",
  edits: [
    {
      file: "src/pairing/outOfBand.js",
      find: "crypto.hmacSha256(outOfBand.secret, utf8(label), publicA, publicB).slice(0, BLOCK)",
      replace: "new Uint8Array(BLOCK)",
    },
    {
      file: "src/pairing/outOfBand.js",
      find: 'crypto.hmacSha256(outOfBand.secret, utf8("hf1 secret transcript"))',
      replace: "new Uint8Array(0)",
    },
  ],
};
const TWO_ROUNDS: readonly Edit[] = [
  {
    file: "src/pairing/models.js",
    find: "export const PASSKEY_ROUNDS = 20;",
    replace: "export const PASSKEY_ROUNDS = 2;",
  },
  { file: "src/pairing/passkey.js", find: "(24 - PASSKEY_ROUNDS)", replace: "4" },
];
const twoRounds: Mutant = { id: "two-rounds", without: "eighteen of the rounds", edits: TWO_ROUNDS };
const shortened = (twin: Twin): Mutant => ({
  ...twin,
  id: `two-rounds-${twin.id}`,
  edits: [...TWO_ROUNDS, ...twin.edits],
});

/** What has to be made importable before `runModels`. */
export function modelMutants(twins: readonly Twin[]): Mutant[] {
  return [...twins, twoRounds, secretUnused, ...LETTER_TWINS.map(({ id }) => shortened(find(twins, id)))];
}

/** Checks of the product without which the search must find an attack. */
const SEARCHED_TWINS: readonly string[] = [
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
  for (const { name, scenario } of LETTER_SCENARIOS)
    rows.push({ model: "attacker", variant: name, verdict: await search(twoRounds, scenario), shouldHold: true });
  for (const { id, scenario } of LETTER_TWINS) {
    const twin = find(twins, id);
    const verdict = await search(shortened(twin), scenario);
    rows.push({ model: "attacker", variant: `without ${twin.without}`, verdict, shouldHold: false });
  }
  for (const { name, scenario } of OUT_OF_BAND_SCENARIOS)
    rows.push({ model: "attacker", variant: name, verdict: searchPairing(scenario, LIMIT), shouldHold: true });
  for (const { id, without, scenario } of OUT_OF_BAND_TWINS) {
    const verdict = await search(id === secretUnused.id ? secretUnused : find(twins, id), scenario);
    rows.push({ model: "attacker", variant: `without ${without}`, verdict, shouldHold: false });
  }
  for (const id of SEARCHED_TWINS) {
    const twin = find(twins, id);
    rows.push({
      model: "attacker",
      variant: `without ${twin.without}`,
      verdict: await searchMutant(twin),
      shouldHold: false,
    });
  }
  return rows;
}

/** Scenarios, and whether an honest pairing can come about in them: where none can although it should, "holds" says nothing. */
export async function pairable(): Promise<readonly { readonly scenario: Scenario; readonly pairs: boolean }[]> {
  const { reachesBond } = await loadMutated<Searches>("../models/dolevYao.js", twoRounds);
  return [{ ...ONE, sessions: 1 }, lettersOnce, digitsForLetters, lettersForDigits, linkOnce, secretOnce].map(
    (scenario) => ({
      scenario,
      pairs: reachesBond(scenario, LIMIT),
    }),
  );
}

interface Searches {
  readonly searchPairing: typeof searchPairing;
  readonly reachesBond: typeof reachesBond;
}

async function search(mutant: Mutant, scenario: Scenario): Promise<Verdict> {
  const searches = await loadMutated<Searches>("../models/dolevYao.js", mutant);
  return searches.searchPairing(scenario, LIMIT);
}

async function searchMutant(mutant: Mutant): Promise<Verdict> {
  // What is reused has to be learned in an attempt before.
  return search(mutant, { ...ONE, sessions: mutant.id === "nonce-reused" ? 2 : 1 });
}

function find(twins: readonly Twin[], id: string): Twin {
  const twin = twins.find((one) => one.id === id);
  if (!twin) throw new Error(`there is no mutant ${id}`);
  return twin;
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

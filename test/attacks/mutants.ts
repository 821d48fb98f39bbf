import { register } from "node:module";

/** One edit of compiled product code. `find` must occur exactly once in `file` (a path below dist/). */
export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** A second lock that not every build has: without the snippet there is nothing to take out. */
  readonly ifPresent?: true;
}

/** The product with one check taken out. */
export interface Mutant {
  readonly id: string;
  /** What is missing, for the test's title. */
  readonly without: string;
  readonly edits: readonly Edit[];
}

const dist = new URL("../../", import.meta.url).href;
const applied: string[] = [];
let registered = false;

/** Makes the mutants importable as `<module>?mutant=<id>`. Once per process. */
export function enableMutants(mutants: readonly Mutant[]): void {
  if (registered) throw new Error("the mutants of this process are fixed");
  registered = true;
  (globalThis as { handfastMutations?: string[] }).handfastMutations = applied;
  register("./mutationHooks.js", { parentURL: import.meta.url, data: { mutants, dist } });
}

/** Loads a module of this folder, with the whole product below it mutated. Fails unless every edit was really applied. */
export async function loadMutated<Module>(path: string, mutant: Mutant): Promise<Module> {
  const module = (await import(`${new URL(path, import.meta.url).href}?mutant=${mutant.id}`)) as Module;
  for (const { find, file, ifPresent } of mutant.edits)
    if (!ifPresent && !applied.includes(`${mutant.id} ${find}`))
      throw new Error(`mutant ${mutant.id}: ${file} is not part of ${path}`);
  return module;
}

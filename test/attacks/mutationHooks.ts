import { readFile } from "node:fs/promises";
import type { LoadHook, ResolveHook } from "node:module";
import { fileURLToPath } from "node:url";
import type { Mutant } from "./mutants.js";

// Runs in node's loader thread: a module imported with "?mutant=<id>" gets its own copy of the whole product, in which
// the mutant's snippets are replaced. Nothing is written to disk and the product has no switch for it.

let mutants: readonly Mutant[] = [];
let dist = "";

export function initialize(data: { readonly mutants: readonly Mutant[]; readonly dist: string }): void {
  mutants = data.mutants;
  dist = data.dist;
}

export const resolve: ResolveHook = async (specifier, context, nextResolve) => {
  const resolved = await nextResolve(specifier, context);
  const wanted = mutantOf(context.parentURL ?? "") ?? mutantOf(specifier);
  const { url } = resolved;
  if (wanted === null || !url.startsWith(dist) || mutantOf(url) !== null) return resolved;
  return { ...resolved, url: `${url}?mutant=${wanted}` };
};

export const load: LoadHook = async (url, context, nextLoad) => {
  const id = mutantOf(url);
  if (id === null || !url.startsWith(dist)) return nextLoad(url, context);
  const [plain = url] = url.split("?");
  const edits =
    mutants.find((mutant) => mutant.id === id)?.edits.filter(({ file }) => plain === `${dist}${file}`) ?? [];
  let source = await readFile(fileURLToPath(plain), "utf8");
  for (const { find, replace, file, ifPresent } of edits) {
    const found = source.split(find).length - 1;
    if (ifPresent && found === 0) continue;
    if (found !== 1) throw new Error(`mutant ${id}: the snippet occurs ${found} times in ${file}, not once: ${find}`);
    source = `${source.replace(find, () => replace)}\nglobalThis.handfastMutations?.push(${JSON.stringify(`${id} ${find}`)});\n`;
  }
  return { format: "module", source, shortCircuit: true };
};

function mutantOf(url: string): string | null {
  return /[?&]mutant=([\w-]+)/.exec(url)?.[1] ?? null;
}

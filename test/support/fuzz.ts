import { readFileSync, writeFileSync } from "node:fs";
import { concat, fromHex, toHex } from "#kernel/bytes.js";
import type { SeededRandom } from "../simulation/seededRandom.js";

const CORPUS = "test/vectors/corpus.json";
const LARGEST = 1500;

/** Inputs worth keeping, by target: each has once led somewhere that no other did. */
export function readCorpus(target: string): Uint8Array[] {
  const all = JSON.parse(readFileSync(CORPUS, "utf8")) as Record<string, readonly string[]>;
  return (all[target] ?? []).map(fromHex);
}

export function saveCorpus(target: string, inputs: readonly Uint8Array[]): void {
  const all = JSON.parse(readFileSync(CORPUS, "utf8")) as Record<string, readonly string[]>;
  writeFileSync(CORPUS, `${JSON.stringify({ ...all, [target]: inputs.map(toHex) }, undefined, 1)}\n`);
}

/** One small change, the kind that parsers get wrong. */
export function mutated(input: Uint8Array, others: readonly Uint8Array[], random: SeededRandom): Uint8Array {
  const bytes = input.slice();
  const at = random.integer(bytes.length + 1);
  switch (random.integer(7)) {
    case 0:
      if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.integer(8));
      return bytes;
    case 1:
      if (at < bytes.length) bytes[at] = [0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xff][random.integer(9)] ?? 0;
      return bytes;
    case 2:
      return bytes.subarray(0, at);
    case 3:
      return concat(bytes.subarray(0, at), random.bytes(1 + random.integer(9)), bytes.subarray(at)).subarray(
        0,
        LARGEST,
      );
    case 4:
      return concat(bytes.subarray(0, at), bytes.subarray(at + 1 + random.integer(8)));
    case 5: {
      const other = others[random.integer(others.length)] ?? bytes;
      return concat(bytes.subarray(0, at), other.subarray(random.integer(other.length + 1))).subarray(0, LARGEST);
    }
    default:
      return concat(bytes, bytes).subarray(0, LARGEST);
  }
}

/**
 * Mutates the corpus `cases` times. `run` throws for a bug; otherwise it says where the input led, in a few words.
 * An input that leads somewhere new joins the corpus. Returns the grown corpus.
 */
export function fuzz(
  corpus: readonly Uint8Array[],
  run: (input: Uint8Array) => string,
  cases: number,
  random: SeededRandom,
): readonly Uint8Array[] {
  const kept: Uint8Array[] = [];
  const places = new Set<string>();
  const attempt = (input: Uint8Array): void => {
    let place: string;
    try {
      place = run(input);
    } catch (error) {
      throw new Error(`this input is not survived: ${toHex(input)}`, { cause: error });
    }
    if (places.has(place)) return;
    places.add(place);
    kept.push(input.slice());
  };
  for (const input of corpus) attempt(input);
  if (kept.length === 0) attempt(new Uint8Array(1));
  for (let i = 0; i < cases; i++) attempt(mutated(kept[random.integer(kept.length)] ?? new Uint8Array(), kept, random));
  return kept;
}

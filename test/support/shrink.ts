const kindOf = (error: unknown): string => String(error).replaceAll(/\d+/g, "");

/** The shortest list, of those that leaving out parts leads to, with which `play` still fails in the same way. */
export async function shrink<Item>(
  items: readonly Item[],
  play: (items: readonly Item[]) => Promise<unknown>,
  why: unknown,
): Promise<readonly Item[]> {
  let shortest = items;
  for (let part = items.length >> 1; part >= 1; part >>= 1)
    for (let from = 0; from < shortest.length; ) {
      const without = [...shortest.slice(0, from), ...shortest.slice(from + part)];
      const fails = await play(without).then(
        () => false,
        (error: unknown) => kindOf(error) === kindOf(why),
      );
      if (fails) shortest = without;
      else from += part;
    }
  return shortest;
}

/** Plays the items; a failure is shrunk and told with its seed. */
export async function playOrShrink<Item, Result>(
  seed: number,
  items: readonly Item[],
  play: (items: readonly Item[]) => Promise<Result>,
): Promise<Result> {
  try {
    return await play(items);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const shortest = await shrink(items, play, error);
    const story = shortest.map((item) => JSON.stringify(item)).join("\n");
    throw new Error(`seed ${seed}: ${why}\n${story}`, { cause: error });
  }
}

const NOTHING: readonly never[] = [];

/** Everything that is in the set, which is empty then. */
export function takeAll<Item>(set: Set<Item>): readonly Item[] {
  if (set.size === 0) return NOTHING;
  const items = [...set];
  set.clear();
  return items;
}

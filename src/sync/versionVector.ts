/** How often each device has changed a file: device id → count. Says which of two versions came later, or that neither did. */
export type VersionVector = ReadonlyMap<string, number>;

export type Order = "equal" | "before" | "after" | "concurrent";

/** `a` compared with `b`. */
export function compareVersions(a: VersionVector, b: VersionVector): Order {
  let less = false;
  let more = false;
  for (const device of new Set([...a.keys(), ...b.keys()])) {
    const difference = (a.get(device) ?? 0) - (b.get(device) ?? 0);
    if (difference < 0) less = true;
    if (difference > 0) more = true;
  }
  if (less && more) return "concurrent";
  return less ? "before" : more ? "after" : "equal";
}

/** The version that comes after both. */
export function mergeVersions(a: VersionVector, b: VersionVector): VersionVector {
  const merged = new Map(a);
  for (const [device, count] of b) merged.set(device, Math.max(count, merged.get(device) ?? 0));
  return merged;
}

/**
 * One more change by `device`. Counts are at least the seconds since 1970, so that a device that lost its index does not
 * count from one again and seem older than it is.
 */
export function bumpVersion(version: VersionVector, device: string, wallMs: number): VersionVector {
  return new Map(version).set(device, Math.max((version.get(device) ?? 0) + 1, Math.floor(wallMs / 1000)));
}

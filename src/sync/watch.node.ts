import { relative, sep } from "node:path";
import { WatchedTree } from "./watchedTree.node.js";

const SETTLE_MS = 1000;
const RESCAN_MS = 60_000;

export interface WatchOptions {
  /** A file that has not changed for so long is at rest. */
  readonly settleMs?: number;
  /** Everything is looked at so often, because a watcher is only a hint. */
  readonly rescanMs?: number;
}

/**
 * Tells when a folder has changed: `paths` are files below it that have come to rest, in the form of a relative path;
 * undefined means that anything may have changed. Returns the way to stop. PROTOCOL.md §7.
 */
export function watchFolder(
  root: string,
  onDirty: (paths: readonly string[] | undefined) => void,
  { settleMs = SETTLE_MS, rescanMs = RESCAN_MS }: WatchOptions = {},
): { readonly ready: Promise<void>; close(): void } {
  const lastChange = new Map<string, number>();
  let unnamedAt: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  const settle = (): void => {
    const until = performance.now() - settleMs;
    const atRest = [...lastChange].filter(([, at]) => at <= until).map(([path]) => path);
    for (const path of atRest) lastChange.delete(path);
    const unnamed = unnamedAt !== undefined && unnamedAt <= until;
    if (unnamed) unnamedAt = undefined;
    timer = undefined;
    // Changes that come one after the other are told of together.
    if (lastChange.size > 0 || unnamedAt !== undefined)
      timer = setTimeout(settle, Math.max(settleMs / 10, oldest(lastChange, unnamedAt) - until));
    if (unnamed) onDirty(undefined);
    if (atRest.length > 0) onDirty(atRest);
  };
  const tree = new WatchedTree(root, {
    onPath(path) {
      lastChange.set(relative(root, path).replaceAll(sep, "/"), performance.now());
      timer ??= setTimeout(settle, settleMs);
    },
    onUnnamed() {
      unnamedAt = performance.now();
      timer ??= setTimeout(settle, settleMs);
    },
  });
  const rescan = setInterval(() => onDirty(undefined), rescanMs);
  return {
    ready: tree.ready,
    close() {
      clearTimeout(timer);
      clearInterval(rescan);
      tree.close();
    },
  };
}

function oldest(times: ReadonlyMap<string, number>, other = Number.POSITIVE_INFINITY): number {
  let first = other;
  for (const at of times.values()) first = Math.min(first, at);
  return first;
}

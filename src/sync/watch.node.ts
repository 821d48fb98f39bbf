import { relative, sep } from "node:path";
import { watch } from "chokidar";
import { OWN_FOLDER } from "./relativePath.js";

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
): { readonly ready: Promise<void>; close(): Promise<void> } {
  const lastChange = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;
  const settle = (): void => {
    const now = performance.now();
    const atRest = [...lastChange].filter(([, at]) => now - at >= settleMs).map(([path]) => path);
    for (const path of atRest) lastChange.delete(path);
    timer = lastChange.size > 0 ? setTimeout(settle, nextRest(lastChange, now, settleMs)) : undefined;
    if (atRest.length > 0) onDirty(atRest);
  };
  const watcher = watch(root, {
    ignoreInitial: true,
    followSymlinks: false,
    ignored: (path) => relative(root, path).split(/[\\/]/)[0] === OWN_FOLDER,
  });
  watcher.on("all", (event, path) => {
    // What happens to a folder is told of each of its files.
    if (event !== "add" && event !== "change" && event !== "unlink") return;
    lastChange.set(relative(root, path).replaceAll(sep, "/"), performance.now());
    timer ??= setTimeout(settle, settleMs);
  });
  // Out of watches, or a place that may not be read: the periodic scan still finds everything.
  watcher.on("error", () => {});
  const rescan = setInterval(() => onDirty(undefined), rescanMs);
  const ready = new Promise<void>((resolve) => watcher.once("ready", () => resolve()));
  return {
    ready,
    async close() {
      clearTimeout(timer);
      clearInterval(rescan);
      await watcher.close();
    },
  };
}

function nextRest(lastChange: ReadonlyMap<string, number>, now: number, settleMs: number): number {
  let first = now;
  for (const at of lastChange.values()) first = Math.min(first, at);
  return Math.max(1, first + settleMs - now);
}

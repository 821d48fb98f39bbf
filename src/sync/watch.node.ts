import { relative } from "node:path";
import { watch } from "chokidar";
import { OWN_FOLDER } from "./relativePath.js";

const SETTLE_MS = 1000;
const RESCAN_MS = 60_000;

/**
 * Tells when a folder may have changed: a second after the last event, and every minute in any case, because a watcher is
 * only a hint. Returns the way to stop.
 */
export function watchFolder(root: string, onDirty: () => void): { close(): Promise<void> } {
  let settle: NodeJS.Timeout | undefined;
  const soon = (): void => {
    clearTimeout(settle);
    settle = setTimeout(onDirty, SETTLE_MS);
  };
  const watcher = watch(root, {
    ignoreInitial: true,
    followSymlinks: false,
    ignored: (path) => relative(root, path).split(/[\\/]/)[0] === OWN_FOLDER,
  });
  watcher.on("all", soon);
  // Out of watches, or a place that may not be read: the periodic scan still finds everything.
  watcher.on("error", () => {});
  const rescan = setInterval(onDirty, RESCAN_MS);
  return {
    async close() {
      clearTimeout(settle);
      clearInterval(rescan);
      await watcher.close();
    },
  };
}

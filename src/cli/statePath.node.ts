import { chmod, readdir, realpath, stat } from "node:fs/promises";
import { homedir, platform } from "node:os";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import process from "node:process";
import { UsageError } from "./exitCodes.js";

/** Where this device keeps what it must not forget: `--state`, HANDFAST_HOME, or the platform's own place. */
export function statePath(wish: string | undefined): string {
  const { HANDFAST_HOME, XDG_DATA_HOME, APPDATA } = process.env;
  if (wish) return resolve(wish);
  if (HANDFAST_HOME) return resolve(HANDFAST_HOME);
  switch (platform()) {
    case "darwin":
      return join(homedir(), "Library", "Application Support", "handfast");
    case "win32":
      return join(APPDATA ?? join(homedir(), "AppData", "Roaming"), "handfast");
    default:
      return join(XDG_DATA_HOME ?? join(homedir(), ".local", "share"), "handfast");
  }
}

/** An empty directory that was made for us is closed to others before any secret comes in. A used one is left as it is. */
export async function closeEmptyState(directory: string): Promise<void> {
  if (platform() === "win32") return;
  const found = await stat(directory).catch(() => undefined);
  if (!found?.isDirectory() || (found.mode & 0o077) === 0) return;
  const entries = await readdir(directory).catch(() => [""]);
  if (entries.length === 0) await chmod(directory, 0o700).catch(() => {});
}

/** The state holds secret keys: a shared folder around it would send them away. Throws UsageError. */
export async function refuseStateInside(folder: string, state: string): Promise<void> {
  const way = relative(await realpath(folder), await realPlace(state));
  const outside = way === ".." || way.startsWith(`..${sep}`) || isAbsolute(way);
  if (outside) return;
  throw new UsageError(
    `${state} holds this device's secret keys and lies inside ${folder}, so they would be synced. Choose another folder, or another place for the state with --state.`,
  );
}

/** Where the path leads, links followed, even when its last steps do not exist yet. */
async function realPlace(path: string): Promise<string> {
  const found = await realpath(path).catch(() => undefined);
  return found ?? join(await realPlace(dirname(path)), basename(path));
}

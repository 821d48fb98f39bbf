import { link, readFile, rename, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorCode, ignoreMissing } from "./atomicFile.node.js";
import { StateError } from "./store.js";

/** Directories that this very process holds: its own pid in a lock means nothing else. */
const held = new Set<string>();

/** Takes the lock of `directory` (an absolute path) and gives the way to let go of it. PROTOCOL.md §5. */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  if (held.has(directory)) throw inUse(directory, process.pid);
  held.add(directory);
  try {
    await take(directory);
  } catch (error) {
    held.delete(directory);
    throw error;
  }
  return async () => {
    if (!held.delete(directory)) return;
    await unlink(join(directory, "lock")).catch(ignoreMissing);
  };
}

async function take(directory: string): Promise<void> {
  const lock = join(directory, "lock");
  const own = `${lock}.${process.pid}`;
  const boot = await bootId();
  await unlink(own).catch(ignoreMissing);
  await writeFile(own, `${process.pid} ${boot}\n`, { mode: 0o600, flag: "wx" });
  try {
    // Twice: the second try is after a takeover.
    if (await linked(own, lock)) return;
    await clearStale(directory, lock, boot);
    if (await linked(own, lock)) return;
    throw inUse(directory, await holder(lock, boot));
  } finally {
    await unlink(own).catch(ignoreMissing);
  }
}

async function clearStale(directory: string, lock: string, boot: string): Promise<void> {
  const alive = await holder(lock, boot);
  if (alive !== undefined) throw inUse(directory, alive);
  const aside = `${lock}.${process.pid}.stale`;
  try {
    await rename(lock, aside);
  } catch (error) {
    return ignoreMissing(error);
  }
  // Between the look and the rename somebody else may have taken over: then it was theirs, and goes back.
  const taken = await holder(aside, boot);
  if (taken !== undefined) await linked(aside, lock);
  await unlink(aside).catch(ignoreMissing);
  if (taken !== undefined) throw inUse(directory, taken);
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  }
}

/** The live process that the lock names, if there is one. */
async function holder(path: string, boot: string): Promise<number | undefined> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    ignoreMissing(error);
    return "";
  });
  const [, digits, itsBoot] = /^([1-9][0-9]{0,9}) (\S{1,64})\n$/.exec(text) ?? [];
  const pid = Number(digits);
  if (digits === undefined || pid === process.pid) return undefined;
  if (itsBoot !== boot && itsBoot !== "-" && boot !== "-") return undefined;
  return isAlive(pid) ? pid : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    return errorCode(error) === "EPERM";
  }
}

/** Tells one run of the system from the next, where the system says so: pids are used again after a restart. */
async function bootId(): Promise<string> {
  const text = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "-");
  return text.trim() || "-";
}

function inUse(directory: string, pid: number | undefined): StateError {
  const who = pid === undefined ? "another program" : pid === process.pid ? "this program" : `process ${pid}`;
  return new StateError(
    "STATE_IN_USE",
    `${directory} is in use by ${who}. Stop that Handfast first, or choose another state directory for this one.`,
  );
}

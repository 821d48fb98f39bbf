import { compareBytes, equalConstantTime } from "#kernel/bytes.js";
import type { FileRecord } from "./record.js";
import { compareVersions } from "./versionVector.js";

/**
 * What to do here about a record of another device:
 * "keep": nothing; "merge": the content is the same, only the version is taken over; "fetch": theirs replaces ours;
 * "trash": delete ours; "conflict-ours": theirs takes the name, ours becomes the conflict copy; "conflict-theirs": the reverse.
 */
export type Action = "keep" | "merge" | "fetch" | "trash" | "conflict-ours" | "conflict-theirs";

/** PROTOCOL.md §4. Pure: the same two records give the same decision on every device. */
export function plan(local: FileRecord | undefined, remote: FileRecord): Action {
  if (!local) return remote.deleted ? "merge" : "fetch";
  const order = compareVersions(local.version, remote.version);
  if (order === "equal" || order === "after") return "keep";
  if (sameContent(local, remote)) return "merge";
  if (order === "before") return remote.deleted ? "trash" : "fetch";
  // Both changed it without knowing of each other. An edit beats a delete.
  if (remote.deleted) return "keep";
  if (local.deleted) return "fetch";
  // Only the executable bit differs: it wins, and there is nothing to keep aside.
  if (equalConstantTime(local.hash, remote.hash)) return remote.executable ? "fetch" : "keep";
  return remoteWins(local, remote) ? "conflict-ours" : "conflict-theirs";
}

export function sameContent(a: FileRecord, b: FileRecord): boolean {
  return a.deleted === b.deleted && equalConstantTime(a.hash, b.hash) && a.executable === b.executable;
}

/** The newer modification time keeps the name; the larger content hash breaks ties, the same way on every device. */
function remoteWins(local: FileRecord, remote: FileRecord): boolean {
  if (local.mtimeMs !== remote.mtimeMs) return remote.mtimeMs > local.mtimeMs;
  return compareBytes(remote.hash, local.hash) > 0;
}

import { utf8 } from "#kernel/bytes.js";

declare const checked: unique symbol;
/** A path below a shared folder, `/` between its parts, that is safe to use on every system. Only `parseRelativePath` makes one. */
export type RelativePath = string & { readonly [checked]: true };

/** Ours: temporary files, trash. Never synced. */
export const OWN_FOLDER = ".handfast";
const MAX_BYTES = 1024;
const MAX_PART_BYTES = 255;
const RESERVED = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$/i;
// Control and text-direction characters, and what some system keeps for itself.
const FORBIDDEN = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffd<>:"|?*\\]/u;
const LONE_SURROGATE = /\p{Cs}/u;

export type PathRefusal = "empty" | "too long" | "not normalised" | "forbidden character" | "forbidden name";

/** The path, or why it is refused. Text from a peer or a disk becomes a path here and nowhere else. PROTOCOL.md §6. */
export function parseRelativePath(text: string): RelativePath | { readonly refused: PathRefusal } {
  if (text === "") return { refused: "empty" };
  if (utf8(text).length > MAX_BYTES) return { refused: "too long" };
  if (text !== text.normalize("NFC")) return { refused: "not normalised" };
  if (FORBIDDEN.test(text) || LONE_SURROGATE.test(text)) return { refused: "forbidden character" };
  const parts = text.split("/");
  for (const part of parts) {
    if (utf8(part).length > MAX_PART_BYTES) return { refused: "too long" };
    if (!isAllowedName(part)) return { refused: "forbidden name" };
  }
  if (parts[0]?.toLowerCase() === OWN_FOLDER) return { refused: "forbidden name" };
  return text as RelativePath;
}

export function isRelativePath(result: RelativePath | { readonly refused: PathRefusal }): result is RelativePath {
  return typeof result === "string";
}

/** `name.ext` → `name.conflict-<label>.ext`, shortened so that it still fits. */
export function conflictPath(path: RelativePath, label: string): RelativePath {
  const slash = path.lastIndexOf("/") + 1;
  const name = path.slice(slash);
  const dot = name.lastIndexOf(".");
  const suffix = `.conflict-${label}${dot > 0 ? name.slice(dot) : ""}`;
  // An extension as long as a name is none.
  const kept = utf8(suffix).length < MAX_PART_BYTES ? suffix : `.conflict-${label}`;
  const stem = [...(dot > 0 && kept === suffix ? name.slice(0, dot) : name)];
  const room = Math.min(MAX_PART_BYTES, MAX_BYTES - utf8(path.slice(0, slash)).length);
  while (stem.length > 1 && utf8(stem.join("") + kept).length > room) stem.pop();
  return (path.slice(0, slash) + stem.join("") + kept) as RelativePath;
}

function isAllowedName(part: string): boolean {
  if (part === "" || part === "." || part === "..") return false;
  return !/[. ]$/.test(part) && !RESERVED.test(part);
}

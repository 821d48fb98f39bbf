import { fromBase64Url, fromUtf8, toBase64Url, utf8 } from "#kernel/bytes.js";

const MAX_ENTRIES = 16;
const MAX_NAME_BYTES = 64;
const TAG_BYTES = 16;
/** Control characters, and those that reorder or hide text: what a stranger sends ends on a screen. */
const UNSHOWABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/u;

/** What the TXT record of a device says. */
export interface Announcement {
  readonly tag: Uint8Array | undefined;
  readonly name: string | undefined;
  readonly pairing: boolean;
}

/** The strings of the TXT record, PROTOCOL.md §2. The name leaves only while pairing. */
export function encodeTxt(announcement: Announcement): Uint8Array[] {
  const entries = ["v=1"];
  if (announcement.tag) entries.push(`t=${toBase64Url(announcement.tag)}`);
  if (announcement.pairing) {
    if (isShowable(announcement.name)) entries.push(`n=${announcement.name}`);
    entries.push("p=1");
  }
  return entries.map(utf8);
}

/** Undefined for another version, or for what cannot be read. Unknown keys are skipped. */
export function decodeTxt(data: unknown): Announcement | undefined {
  const entries = Array.isArray(data) ? (data as readonly unknown[]) : [data];
  const values = new Map<string, string>();
  for (const entry of entries.slice(0, MAX_ENTRIES)) {
    const text = entry instanceof Uint8Array ? fromUtf8(entry) : undefined;
    const at = text?.indexOf("=") ?? -1;
    if (!text || at < 1) continue;
    const key = text.slice(0, at).toLowerCase();
    // RFC 6763 §6.4: of a repeated key the first counts, and case does not.
    if (!values.has(key)) values.set(key, text.slice(at + 1));
  }
  if (values.get("v") !== "1") return undefined;
  const pairing = values.get("p") === "1";
  const name = values.get("n");
  return { tag: tagOf(values.get("t")), name: pairing && isShowable(name) ? name : undefined, pairing };
}

function isShowable(name: string | undefined): name is string {
  return name !== undefined && name.trim() !== "" && utf8(name).length <= MAX_NAME_BYTES && !UNSHOWABLE.test(name);
}

function tagOf(text: string | undefined): Uint8Array | undefined {
  const tag = text === undefined ? undefined : fromBase64Url(text);
  return tag?.length === TAG_BYTES ? tag : undefined;
}

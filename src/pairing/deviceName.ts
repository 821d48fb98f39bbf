import { utf8 } from "#kernel/bytes.js";

const MAX_BYTES = 64;
/** Control characters, and those that reorder or hide text: a name must look like what it is. */
const FORBIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u115f\u1160\u2800\u3164\uffa0]/u;

/** True for what may be shown as a device's name: 1 to 64 bytes, NFC, one visible line. PROTOCOL.md §2. */
export function isDeviceName(name: string): boolean {
  return name.trim() !== "" && isPlainText(name, MAX_BYTES);
}

/** One line that looks like what it is, at most `maxBytes` of UTF-8; may be empty. */
export function isPlainText(text: string, maxBytes: number): boolean {
  return text === text.normalize("NFC") && utf8(text).length <= maxBytes && !FORBIDDEN.test(text);
}

/** The nearest allowed name to what a person or a system called the device. */
export function toDeviceName(wish: string, fallback: string): string {
  const clean = [...wish.normalize("NFC")].filter((character) => !FORBIDDEN.test(character));
  while (utf8(clean.join("")).length > MAX_BYTES) clean.pop();
  const name = clean.join("").trim();
  return isDeviceName(name) ? name : fallback;
}

import { utf8 } from "#kernel/bytes.js";

const MAX_BYTES = 64;
/** Control characters, and those that reorder or hide text: a name must look like what it is. */
const FORBIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/u;

/** True for what may be shown as a device's name: 1 to 64 bytes, NFC, one visible line. PROTOCOL.md §2. */
export function isDeviceName(name: string): boolean {
  return (
    name.trim() !== "" && name === name.normalize("NFC") && utf8(name).length <= MAX_BYTES && !FORBIDDEN.test(name)
  );
}

/** The nearest allowed name to what a person or a system called the device. */
export function toDeviceName(wish: string, fallback: string): string {
  const clean = [...wish.normalize("NFC")].filter((character) => !FORBIDDEN.test(character));
  while (utf8(clean.join("")).length > MAX_BYTES) clean.pop();
  const name = clean.join("").trim();
  return isDeviceName(name) ? name : fallback;
}

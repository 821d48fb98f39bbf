import { utf8 } from "#kernel/bytes.js";

const MAX_LABEL_BYTES = 63;
const MAX_NAME_BYTES = 254;

/** The form in which names are compared: ASCII letters only lose their case (RFC 6762 §16), the last dot goes. */
export function fold(name: string): string {
  const bare = name.endsWith(".") ? name.slice(0, -1) : name;
  return /[A-Z]/.test(bare) ? bare.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : bare;
}

/** `_handfast._udp.local` is the same as `_HANDFAST._udp.LOCAL.` */
export function sameName(a: string, b: string): boolean {
  return fold(a) === fold(b);
}

/** True for what DNS can carry. The codec does not look: longer labels would leave as malformed packets. */
export function isSendableName(name: string): boolean {
  let length = 1;
  for (const label of name.replace(/\.$/, "").split(".")) {
    const bytes = utf8(label).length;
    if (bytes === 0 || bytes > MAX_LABEL_BYTES) return false;
    length += bytes + 1;
  }
  return length <= MAX_NAME_BYTES;
}

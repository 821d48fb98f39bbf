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

/**
 * True when a person could take one name for the other: the same letters apart from case, accents, spaces, punctuation and
 * characters of other scripts that are drawn like Latin ones. Short of Unicode's whole table (UTS #39); a hint, not a check.
 */
export function looksLike(a: string, b: string): boolean {
  return skeleton(a) === skeleton(b);
}

const TWINS: Readonly<Record<string, string>> = {
  ...{ "0": "o", "1": "l", i: "l", "|": "l", "5": "s", "8": "b", ı: "l" },
  // Cyrillic
  ...{
    а: "a",
    в: "b",
    с: "c",
    е: "e",
    н: "h",
    к: "k",
    м: "m",
    о: "o",
    р: "p",
    ѕ: "s",
    т: "t",
    у: "y",
    х: "x",
    і: "l",
    ј: "j",
    ԛ: "q",
    ԝ: "w",
    ԁ: "d",
  },
  // Greek
  ...{ α: "a", β: "b", ε: "e", η: "n", ι: "l", κ: "k", μ: "m", ν: "v", ο: "o", ρ: "p", τ: "t", υ: "u", χ: "x", ζ: "z" },
};

function skeleton(name: string): string {
  const plain = name
    .normalize("NFKD")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}|]/gu, "");
  const folded = [...plain].map((character) => TWINS[character] ?? character).join("");
  return folded.replaceAll("rn", "m").replaceAll("vv", "w");
}

/** The nearest allowed name to what a person or a system called the device. */
export function toDeviceName(wish: string, fallback: string): string {
  const clean = [...wish.normalize("NFC")].filter((character) => !FORBIDDEN.test(character));
  while (utf8(clean.join("")).length > MAX_BYTES) clean.pop();
  const name = clean.join("").trim();
  return isDeviceName(name) ? name : fallback;
}

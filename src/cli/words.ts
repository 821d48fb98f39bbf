/** `472915` as people read it aloud: `472 915`. */
export function grouped(digits: string): string {
  return `${digits.slice(0, 3)} ${digits.slice(3)}`;
}

const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/** A size in decimal units, three digits at most. */
export function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

export function count(number: number, one: string): string {
  return `${number} ${one}${number === 1 ? "" : "s"}`;
}

export function bar(part: number, whole: number, width: number): string {
  const share = whole === 0 ? 1 : Math.min(1, part / whole);
  const full = Math.round(share * width);
  return `[${"=".repeat(full)}${" ".repeat(width - full)}] ${Math.floor(share * 100)} %`;
}

/** What a peer calls itself or its files, safe to print: no escape sequences, no line breaks. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?");
}

/** How long ago, roughly. */
export function ago(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${count(minutes, "minute")} ago`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${count(hours, "hour")} ago` : `${count(Math.floor(hours / 24), "day")} ago`;
}

/** Whether a person's line means yes; no line, the end of input, does not. */
export function isYes(line: string | undefined): boolean {
  return /^\s*(y|yes)\s*$/i.test(line ?? "");
}

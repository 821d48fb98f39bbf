const TWO_32 = 0x1_0000_0000;

/** 52 bits of a connection ID as a number: the fastest key a Map can have. */
export function cidKey(bytes: Uint8Array, at = 0): number {
  const high = ((bytes[at] ?? 0) << 12) | ((bytes[at + 1] ?? 0) << 4) | ((bytes[at + 2] ?? 0) >> 4);
  const low =
    (((bytes[at + 3] ?? 0) << 24) |
      ((bytes[at + 4] ?? 0) << 16) |
      ((bytes[at + 5] ?? 0) << 8) |
      (bytes[at + 6] ?? 0)) >>>
    0;
  return high * TWO_32 + low;
}

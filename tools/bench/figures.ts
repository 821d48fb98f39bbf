/** What one transfer between two processes took. */
export interface Figure {
  /** From before the connect until the receiver's "I have every byte" is back. */
  readonly seconds: number;
  /** Until the connection was there ("bulk"), or until the first echoed byte, the median ("echo"). */
  readonly connectMs: number;
  /** User and system CPU seconds of each side. */
  readonly senderCpu: number;
  readonly receiverCpu: number;
  /** Peak resident memory, MiB. */
  readonly senderMiB: number;
  readonly receiverMiB: number;
  /** Whatever the peer wants to add: packets, losses, windows. */
  readonly details: Readonly<Record<string, number>>;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

export function megabytesPerSecond(bytes: number, seconds: number): number {
  return bytes / seconds / 1e6;
}

import type { ByteWriter } from "#kernel/varint.js";
import { BASE_DATAGRAM } from "./mtu.js";
import { DATA_OVERHEAD } from "./packet.js";

/** Throws RangeError for a step that not every path can carry. */
export function checkPadTo(padTo: number | undefined): void {
  if (padTo === undefined || (Number.isInteger(padTo) && padTo >= 1 && padTo <= BASE_DATAGRAM)) return;
  throw new RangeError(`padTo: 1 to ${BASE_DATAGRAM} bytes, got ${padTo}`);
}

/** Where PADDING ends when the packet's size is rounded up to a multiple of `step`, as far as there is room for it: PROTOCOL.md §6.5. */
export function paddedEnd(out: ByteWriter, step: number): number {
  const over = (out.offset - out.start + DATA_OVERHEAD) % step;
  return over === 0 ? out.offset : Math.min(out.offset + step - over, out.end);
}

import { type ByteWriter, varintLength } from "#kernel/varint.js";
import type { HeldUp } from "./blocked.js";
import type { ConnectionParts } from "./connectionParts.js";
import { FRAME } from "./frames.js";
import { writeNumbers } from "./writeFrames.js";

const MAX_FRAME = 1 + 2 * varintLength(Number.MAX_SAFE_INTEGER);

/** What holds us up when nothing more is sent now. `ready`: a stream could send; `open`: window and pacer would let another packet go. */
export function whatHoldsUp(
  { sendQueue, streams, blocked }: ConnectionParts,
  ready: boolean,
  open: boolean,
): HeldUp | undefined {
  if (!ready && !sendQueue.empty) return "connection";
  if (streams.blockedAt(false) !== undefined || streams.blockedAt(true) !== undefined) return "stream";
  if (!sendQueue.empty) return undefined;
  if (blocked.streams.size > 0) return "stream";
  return open ? "application" : undefined;
}

/** One frame for each limit that holds us up, as many as there is room for. */
export function writeBlocked(out: ByteWriter, { sendQueue, sendCredit, streams, blocked }: ConnectionParts): void {
  for (const unidirectional of [false, true]) {
    const limit = streams.blockedAt(unidirectional);
    const type = unidirectional ? FRAME.STREAMS_BLOCKED_UNI : FRAME.STREAMS_BLOCKED_BIDI;
    if (limit !== undefined) writeNumbers(out, type, limit);
  }
  if (!sendQueue.empty && sendCredit.available <= 0) writeNumbers(out, FRAME.DATA_BLOCKED, sendCredit.limit);
  for (const { id, sending } of blocked.streams) {
    if (out.remaining < MAX_FRAME) return;
    const limit = sending?.blockedAt;
    if (limit !== undefined) writeNumbers(out, FRAME.STREAM_DATA_BLOCKED, id, limit);
  }
}

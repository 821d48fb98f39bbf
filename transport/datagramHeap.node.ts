import { setFlagsFromString } from "node:v8";

/** In per cent of what is alive; V8's own bound is 300. */
const HEAP_GROWING_PERCENT = 500;

/**
 * Call once in a program that receives much and holds little. Node gives every datagram memory outside the heap; V8 frees it by a
 * cheap collection of young objects after 32 MiB, but in a heap of less than about 11 MiB it starts a full one before that,
 * and a receiver spends a third of its time there. It changes the whole process, so it is a program's to decide, not a library's.
 */
export function makeRoomForDatagrams(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
}

import { BULK } from "./bulk.js";
import { COOKIES } from "./cookie.js";
import { FIRST_ROUND_TRIP } from "./handshake.js";
import { KEYS } from "./keys.js";
import { LOSSY_HANDSHAKES } from "./lossyHandshakes.js";
import { MANY_STREAMS } from "./many.js";
import { MOVES } from "./moves.js";
import { RATES } from "./rates.js";
import { SILENCES } from "./silences.js";
import type { InteropCase } from "./world.js";

export const INTEROP: readonly InteropCase[] = [
  ...FIRST_ROUND_TRIP,
  ...COOKIES,
  ...LOSSY_HANDSHAKES,
  ...BULK,
  ...MANY_STREAMS,
  ...KEYS,
  ...SILENCES,
  ...MOVES,
  ...RATES,
];

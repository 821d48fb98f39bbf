import type { InteropCase } from "./interop/world.js";
import { BLOAT } from "./rides/bloat.js";
import { FADING } from "./rides/fading.js";
import { ONE_WAY } from "./rides/oneWay.js";
import { RATES } from "./rides/rates.js";
import { ROAMING } from "./rides/roaming.js";
import { SLEEP } from "./rides/sleep.js";

/** What somebody on such a network would notice: the rate, the delay, how soon it goes on. */
export const RIDES: readonly InteropCase[] = [...RATES, ...ROAMING, SLEEP, BLOAT, FADING, ONE_WAY];

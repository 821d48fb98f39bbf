import type { Crypto } from "./crypto.js";
import { nativeCrypto } from "./native.node.js";
import { loadSodiumCrypto } from "./sodium.node.js";

/** The fastest back end that this machine has: the same bytes as any other. */
export const fastestCrypto: Crypto = loadSodiumCrypto() ?? nativeCrypto;

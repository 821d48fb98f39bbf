import type { Crypto } from "./crypto.js";
import { nativeCrypto } from "./native.node.js";
import { loadSodiumCrypto } from "./sodium.node.js";
import { loadWasmCrypto } from "./wasm.node.js";

/** The fastest back end that this machine has: the same bytes as any other. WebAssembly is only loaded where there is no native build. */
export const fastestCrypto: Crypto = loadSodiumCrypto() ?? (await loadWasmCrypto()) ?? nativeCrypto;

import { readFileSync } from "node:fs";
import process from "node:process";
import { nobleCrypto } from "#crypto/noble.js";
import { fromHex } from "#kernel/bytes.js";
import { decodeDatagram, parseKeyLog } from "./decodeDatagram.js";

// node dist/tools/decode.js [--keys <key log>] <hex>…   or hex on standard input, one datagram a line.
const args = process.argv.slice(2);
const keysAt = args.indexOf("--keys");
const keys = keysAt >= 0 ? parseKeyLog(readFileSync(args.splice(keysAt, 2)[1] ?? "", "utf8")) : [];
const inputs = args.length > 0 ? args : readFileSync(0, "utf8").split("\n");
for (const input of inputs) {
  const hex = input.replaceAll(/[\s:]/g, "");
  if (hex === "") continue;
  try {
    console.log(decodeDatagram(fromHex(hex), nobleCrypto, keys).join("\n"));
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 2;
  }
}

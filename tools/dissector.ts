import process from "node:process";
import { dissectorText } from "./dissectorText.js";

// node dist/tools/dissector.js [port] > handfast.lua; then: wireshark -X lua_script:handfast.lua
process.stdout.write(dissectorText(Number(process.argv[2] ?? 4760)));

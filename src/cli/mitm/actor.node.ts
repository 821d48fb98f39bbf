import process from "node:process";
import type { Address } from "#kernel/ports.js";
import { bindUdp } from "#transport/udp.node.js";
import { attack } from "./attack.node.js";
import { runLookAlikePc, runLookAlikePhone, runPc, runPhone, type Shown } from "./ends.node.js";
import type { Act, Report, Role } from "./report.js";

// One of the three processes of `handfast demo mitm`: actor.node.js <role> <act> <port to talk to>.

const [role, act, port] = process.argv.slice(2) as [Role, Act, string];
const host = "127.0.0.1";
const to: Address = { host, port: Number(port) };
const tell = (report: Report): void => {
  process.send?.(report);
};
const shown: Shown = {
  digits: (digits) => tell({ type: "digits", digits }),
  refused: ({ code, message }) => tell({ type: "refused", code, message }),
};

const socket = await bindUdp({ host, port: 0 });
if (role === "pc" && act === "lookAlike") runLookAlikePc(socket, shown);
else if (role === "pc") runPc(socket, "Ana's PC", shown);
else if (role === "attacker") attack(act, { toPhone: socket, toPc: await bindUdp({ host, port: 0 }), pc: to, tell });
else if (act === "lookAlike") runLookAlikePhone(socket, to, shown);
else runPhone(socket, to, "Ana's phone", shown);
tell({ type: "listening", port: socket.port });
process.on("disconnect", () => process.exit(0));

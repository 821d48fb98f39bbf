import { execFile, fork } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { connect, createServer, type TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type IdleCost, memory, parkSessions } from "../../test/support/parked.js";
import { selfSigned } from "./certificate.js";

const USAGE = `node dist/tools/bench/idle.js [sessions]
What a session costs a server that has nothing to say to it, beside a TLS 1.3 socket of Node's.`;
const TLS_SOCKETS = 1000;

const [mode = "10000", argument = "0"] = process.argv.slice(2);
const number = Number(argument);
if (mode === "clients") await holdClients(number);
else if (mode === "sessions") print(`Handfast, ${number} sessions`, parkSessions(number).cost);
else if (mode === "sockets") print(`Node TLS 1.3, ${number} sockets`, await parkSockets());
else if (Number.isInteger(Number(mode))) await measure(Number(mode));
else console.log(USAGE);

/** Each in a process of its own: what one has used and freed would hide what the next one needs. */
async function measure(count: number): Promise<void> {
  console.log(await inProcess("sessions", count));
  console.log(await inProcess("sockets", TLS_SOCKETS));
}

async function inProcess(what: string, count: number): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(import.meta.url), what, String(count)]);
  return stdout.trim();
}

function print(what: string, { heap, resident }: IdleCost): void {
  console.log(
    `${what}: ${(heap / 1024).toFixed(1)} KiB of objects each, ${(resident / 1024).toFixed(1)} KiB of the process`,
  );
}

/** Sockets of clients in another process: only the server's side is counted. */
async function parkSockets(): Promise<IdleCost> {
  const sockets: TLSSocket[] = [];
  const server = createServer({ ...selfSigned(), minVersion: "TLSv1.3" }, (socket) => sockets.push(socket));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const before = memory();
  const clients = fork(fileURLToPath(import.meta.url), ["clients", String((server.address() as AddressInfo).port)]);
  await once(clients, "message");
  const after = memory();
  clients.kill();
  for (const socket of sockets) socket.on("error", () => {}).destroy();
  server.close();
  clients.unref();
  const each = (name: keyof IdleCost): number => (after[name] - before[name]) / sockets.length;
  return { heap: each("heap"), resident: each("resident") };
}

async function holdClients(port: number): Promise<void> {
  const held: TLSSocket[] = [];
  for (let i = 0; i < TLS_SOCKETS; i++) {
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
    await once(socket, "secureConnect");
    held.push(socket);
  }
  process.send?.(held.length);
}

import process from "node:process";
import { createInterface } from "node:readline/promises";
import { createServer } from "handfast/node";

const terminal = createInterface({ input: process.stdin, output: process.stdout });
const port = Number(process.argv[2] ?? 4760);
const server = await createServer({ name: "Ana's PC", service: "notes", store: "./pc-state", port });

server.on("pairing", async (request) => {
  const answer = await terminal.question(`${request.peer.name} shows ${request.digits}? [y/N] `);
  if (answer === "y") request.confirm();
  else request.reject();
});
server.on("session", async (session) => {
  console.log(`${session.peer.name} is online`);
  for await (const stream of session.incomingStreams()) stream.pipe(stream);
});
server.on("session", async (session) => {
  for await (const datagram of session.datagrams()) session.sendDatagram(datagram);
});
server.openPairing({ seconds: 120, attempts: 3 });
console.log(`Listening on UDP ${server.port}`);

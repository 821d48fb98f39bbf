import process from "node:process";
import { createInterface } from "node:readline/promises";
import { createClient } from "handfast/node";

const terminal = createInterface({ input: process.stdin, output: process.stdout });
const client = await createClient({ name: "Ana's phone", service: "notes", store: "./phone-state" });
const address = process.argv[2];

let [pc] = await client.bonds();
if (!pc) {
  const signal = AbortSignal.timeout(10_000);
  const host = address ? client.at(address) : await client.discover({ signal }).first();
  pc = await client.pair(host, {
    compare: async ({ peer, digits }) => (await terminal.question(`${peer.name} shows ${digits}? [y/N] `)) === "y",
  });
}
const session = await client.connect(pc);
const stream = await session.openStream();
stream.end("something confidential");
for await (const chunk of stream) console.log(`${session.peer.name} answers: ${chunk}`);

session.sendDatagram(new TextEncoder().encode("ping"));
for await (const datagram of session.datagrams()) {
  console.log(`and: ${new TextDecoder().decode(datagram)}`);
  break;
}
await client.close();
terminal.close();

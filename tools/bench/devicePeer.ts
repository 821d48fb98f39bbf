import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import { createClient, createServer, type NodeClient, type NodeSession, type OpenOptions } from "../../src/node.js";
import { median } from "./figures.js";
import { PAUSE_MS, type Peer, type Work } from "./peer.js";

/** A bond may dial three times in a row, then once a second: so many devices take turns. */
const DIALS_A_DEVICE = 3;
const SECRET = createHash("sha256").update("bench pairing").digest();
const SERVICE = "bench";
const folder = mkdtempSync(join(tmpdir(), "handfast-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

/** The library as an application uses it: bonds on a disk, discovery at work, a session written down before it begins. Only "echo". */
export const devicePeer: Peer = {
  async serve(work) {
    const { port, host } = work;
    const server = await createServer({ ...common(host, "server"), port });
    const open = (): void => void server.openPairing({ secret: SECRET });
    server.on("paired", open);
    server.on("session", (session) => void echoAll(session).catch(() => {}));
    open();
    return server.port;
  },
  async run(work) {
    const clients: NodeClient[] = [];
    for (let i = 0; i * DIALS_A_DEVICE < work.times; i++) clients.push(await pairedClient(work, i));
    // The dials of pairing counted: every bond has its three again.
    await delay(1000);
    const times: number[] = [];
    for (let turn = 0; turn < DIALS_A_DEVICE; turn++)
      for (const client of clients) {
        await delay(PAUSE_MS);
        times.push(await oneEcho(client));
      }
    for (const client of clients) await client.close();
    return { connectMs: median(times) };
  },
};

async function pairedClient(work: Work, number: number): Promise<NodeClient> {
  const client = await createClient(common(work.from, `client ${number}`));
  const bond = await client.pair(client.at(`${work.host}:${work.port}`), { secret: SECRET });
  // Pairing leaves a session open, which the next connect would simply be given.
  await (await client.connect(bond)).close();
  return client;
}

async function oneEcho(client: NodeClient): Promise<number> {
  const [bond] = await client.bonds();
  if (!bond) throw new Error("the bench's bond is gone");
  const began = performance.now();
  const session = await client.connect(bond);
  const stream = await session.openStream();
  stream.write(Uint8Array.of(1));
  await once(stream, "data");
  const took = performance.now() - began;
  stream.on("error", () => {});
  await session.close();
  return took;
}

async function echoAll(session: NodeSession): Promise<void> {
  for await (const stream of session.incomingStreams()) void pipeline(stream, stream).catch(() => {});
}

function common(host: string, name: string): OpenOptions {
  return { name, store: join(folder, name), service: SERVICE, ...(host === "127.0.0.1" && { interfaces: ["lo"] }) };
}

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { connect, createServer, type TLSSocket } from "node:tls";
import { median } from "./figures.js";
import { type Measured, PAUSE_MS, type Peer, pieces, RANDOM_BYTES, type Work } from "./peer.js";

/** Node's TLS 1.3 over TCP, as an application would use it. Key and certificate come in the settings. */
export const tlsPeer: Peer = {
  async serve(work) {
    const { key, cert } = credentials(work);
    const server = createServer({ key, cert, minVersion: "TLSv1.3", noDelay: true }, (socket) => {
      socket.on("error", () => {});
      if (work.kind === "echo") socket.on("data", (bytes) => socket.write(bytes));
      else answerAtTheEnd(socket, work.bytes);
    });
    server.listen(work.port, work.host);
    await once(server, "listening");
    const address = server.address();
    return typeof address === "object" && address ? address.port : work.port;
  },
  async run(work) {
    return work.kind === "bulk" ? await bulk(work) : await echo(work);
  },
};

function credentials(work: Work): { key: string; cert: string } {
  return { key: String(work.settings["key"]), cert: String(work.settings["cert"]) };
}

function answerAtTheEnd(socket: Socket, total: number): void {
  let received = 0;
  socket.on("data", (bytes) => {
    received += bytes.length;
    if (received >= total) socket.write(Buffer.of(1));
  });
}

async function open(work: Work): Promise<TLSSocket> {
  const { cert } = credentials(work);
  const { host, port } = work;
  const socket = connect({ host, port, ca: cert, minVersion: "TLSv1.3", checkServerIdentity: () => undefined });
  socket.setNoDelay(true);
  await once(socket, "secureConnect");
  return socket;
}

async function bulk(work: Work): Promise<Measured> {
  const random = randomBytes(RANDOM_BYTES);
  const began = performance.now();
  const socket = await open(work);
  const connectMs = performance.now() - began;
  const answer = once(socket, "data");
  for (const piece of pieces(random, work.bytes)) if (!socket.write(piece)) await once(socket, "drain");
  await answer;
  const seconds = (performance.now() - began) / 1000;
  socket.destroy();
  return { seconds, connectMs };
}

async function echo(work: Work): Promise<Measured> {
  const times: number[] = [];
  for (let i = 0; i < work.times; i++) {
    await delay(PAUSE_MS);
    const began = performance.now();
    const socket = await open(work);
    socket.write(Buffer.of(1));
    await once(socket, "data");
    times.push(performance.now() - began);
    socket.destroy();
  }
  return { connectMs: median(times) };
}

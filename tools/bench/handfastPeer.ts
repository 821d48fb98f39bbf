import { randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import type { Session } from "#transport/session.js";
import type { SessionStream } from "#transport/sessionStream.js";
import { median } from "./figures.js";
import { Host, SERVER } from "./host.js";
import { bytesOf, type Measured, PAUSE_MS, type Peer, pieces, RANDOM_BYTES, type Work } from "./peer.js";

/** The channel on real sockets, between two devices whose bond is fixed: `datagram` (bytes), `crypto` ("node", "noble"). */
export const handfastPeer: Peer = {
  async serve(work, received) {
    const host = await Host.open(work, SERVER, work.host, work.port);
    host.onSession = (session) => void serveSession(session, work, received).catch(() => {});
    return host.port;
  },
  async run(work) {
    return work.kind === "echo" ? await echo(work) : await bulk(work);
  },
};

type Received = (bytes: number) => void;

async function serveSession(session: Session, work: Work, received: Received): Promise<void> {
  for await (const stream of session.incomingStreams()) void serveStream(stream, work, received).catch(() => {});
}

async function serveStream(stream: SessionStream, work: Work, received: Received): Promise<void> {
  let all = 0;
  for (let bytes = await stream.read(); bytes; bytes = await stream.read()) {
    all += bytes.length;
    received(bytes.length);
    if (work.kind === "echo") await stream.write(bytes);
  }
  if (work.kind === "bulk" && all === work.bytes) await stream.write(Uint8Array.of(1));
  await stream.end();
}

async function bulk(work: Work): Promise<Measured> {
  const random = new Uint8Array(randomBytes(RANDOM_BYTES));
  const host = await Host.open(work, "client 0", work.from, 0);
  const began = performance.now();
  const session = await host.connect(work);
  const stream = await session.openStream();
  const connectMs = performance.now() - began;
  for (const piece of pieces(random, bytesOf(work))) await stream.write(piece);
  await stream.end();
  const answer = await stream.read();
  const seconds = (performance.now() - began) / 1000;
  if (answer?.[0] !== 1) throw new Error("the server did not get every byte");
  const { packetsSent, packetsLost, spuriousLosses, packetsReceived, packetSize, rttMs, window } = session.stats();
  await host.close();
  return { seconds, connectMs, packetsSent, packetsLost, spuriousLosses, packetsReceived, packetSize, rttMs, window };
}

async function echo(work: Work): Promise<Measured> {
  const times: number[] = [];
  for (let i = 0; i < work.times; i++) {
    // Another device each time: a server takes one dial a second from a device, and twenty from an address.
    await delay(PAUSE_MS);
    const host = await Host.open(work, `client ${i}`, work.from, 0);
    const began = performance.now();
    const session = await host.connect(work);
    const stream = await session.openStream();
    await stream.write(Uint8Array.of(1));
    await stream.read();
    times.push(performance.now() - began);
    await host.close();
  }
  return { connectMs: median(times) };
}

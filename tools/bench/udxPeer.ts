import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import type { Duplex } from "node:stream";
import { type Measured, type Peer, pieces, RANDOM_BYTES, type Work } from "./peer.js";

/** The parts of udx-native and @hyperswarm/secret-stream that are used; neither has types of its own. */
interface UdxSocket {
  bind(port: number, host: string): void;
  address(): { port: number };
  send(bytes: Buffer, port: number, host: string): Promise<boolean>;
  on(event: "message", listener: (bytes: Buffer, from: { host: string; port: number }) => void): void;
}
interface UdxStream extends Duplex {
  connect(socket: UdxSocket, remoteId: number, port: number, host: string): void;
}
interface Udx {
  createSocket(): UdxSocket;
  createStream(id: number): UdxStream;
}
type SecretStream = new (initiator: boolean, stream: Duplex) => Duplex;

const SERVER_ID = 2;
const CLIENT_ID = 1;

/** Whether the folder that BENCH_PEERS names holds the packages. They are not dependencies of ours. */
export function udxInstalled(): boolean {
  try {
    load();
    return true;
  } catch {
    return false;
  }
}

function load(): { Udx: new () => Udx; Secret: SecretStream } {
  const require = createRequire(join(process.env["BENCH_PEERS"] ?? "/nowhere", "index.js"));
  return { Udx: require("udx-native") as new () => Udx, Secret: require("@hyperswarm/secret-stream") as SecretStream };
}

/** udx with Hyperswarm's secret stream over it. The ends meet by one small datagram each way. */
export const udxPeer: Peer = {
  async serve(work) {
    const { Udx, Secret } = load();
    const udx = new Udx();
    const socket = udx.createSocket();
    socket.bind(0, work.host);
    let met = false;
    socket.on("message", (_bytes, from) => {
      void socket.send(Buffer.from("here"), from.port, from.host);
      if (met) return;
      met = true;
      const stream = udx.createStream(SERVER_ID);
      stream.connect(socket, CLIENT_ID, from.port, from.host);
      answerAtTheEnd(new Secret(false, stream), work.bytes);
    });
    return socket.address().port;
  },
  async run(work) {
    const random = randomBytes(RANDOM_BYTES);
    const began = performance.now();
    const stream = await open(work);
    const connectMs = performance.now() - began;
    const answer = once(stream, "data");
    for (const piece of pieces(random, work.bytes)) if (!stream.write(piece)) await once(stream, "drain");
    await answer;
    const measured: Measured = { seconds: (performance.now() - began) / 1000, connectMs };
    return measured;
  },
};

async function open(work: Work): Promise<Duplex> {
  const { Udx, Secret } = load();
  const udx = new Udx();
  const socket = udx.createSocket();
  socket.bind(0, work.from);
  const hello = (): void => void socket.send(Buffer.from("hello"), work.port, work.host);
  const again = setInterval(hello, 250);
  hello();
  await new Promise<void>((resolve) => socket.on("message", () => resolve()));
  clearInterval(again);
  const stream = udx.createStream(CLIENT_ID);
  stream.connect(socket, SERVER_ID, work.port, work.host);
  const secret = new Secret(true, stream);
  await once(secret, "open");
  return secret;
}

function answerAtTheEnd(stream: Duplex, total: number): void {
  let received = 0;
  stream.on("error", () => {});
  stream.on("data", (bytes: Buffer) => {
    received += bytes.length;
    if (received >= total) stream.write(Buffer.of(1));
  });
}

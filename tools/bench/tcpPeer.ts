import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { median } from "./figures.js";
import { bytesOf, type Measured, PAUSE_MS, type Peer, pieces, RANDOM_BYTES, type Work } from "./peer.js";

/** What differs between TCP and what runs over it. */
export interface Dialect {
  readonly listen: (work: Work, onSocket: (socket: Socket) => void) => Server;
  /** Resolves when the connection is there. */
  readonly open: (work: Work) => Promise<Socket>;
}

/** Plain TCP: for measuring what carries it. */
export const tcpPeer: Peer = overTcp({
  listen: (_work, onSocket) => createServer({ noDelay: true }, onSocket),
  async open({ host, port }) {
    const socket = connect({ host, port, noDelay: true });
    await once(socket, "connect");
    return socket;
  },
});

export function overTcp(dialect: Dialect): Peer {
  return {
    async serve(work, received) {
      const server = dialect.listen(work, (socket) => {
        socket.on("error", () => {});
        socket.on("data", (bytes) => received(bytes.length));
        if (work.kind === "echo") socket.on("data", (bytes) => socket.write(bytes));
        else answerAtTheEnd(socket, work.bytes);
      });
      server.listen(work.port, work.host);
      await once(server, "listening");
      const address = server.address();
      return typeof address === "object" && address ? address.port : work.port;
    },
    run: (work) => (work.kind === "echo" ? echo(work, dialect) : bulk(work, dialect)),
  };
}

function answerAtTheEnd(socket: Socket, total: number): void {
  let received = 0;
  socket.on("data", (bytes) => {
    received += bytes.length;
    if (received >= total) socket.write(Buffer.of(1));
  });
}

async function bulk(work: Work, { open }: Dialect): Promise<Measured> {
  const random = randomBytes(RANDOM_BYTES);
  const began = performance.now();
  const socket = await open(work);
  const connectMs = performance.now() - began;
  const answer = once(socket, "data");
  for (const piece of pieces(random, bytesOf(work))) if (!socket.write(piece)) await once(socket, "drain");
  await answer;
  const seconds = (performance.now() - began) / 1000;
  socket.destroy();
  return { seconds, connectMs };
}

async function echo(work: Work, { open }: Dialect): Promise<Measured> {
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

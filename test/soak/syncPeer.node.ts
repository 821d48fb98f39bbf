import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import process from "node:process";
import type { ByteStream } from "#kernel/ports.js";
import { DiskFolder } from "#sync/folder.node.js";
import { IndexFile } from "#sync/indexStore.node.js";
import { SharedFolder } from "#sync/sharedFolder.js";
import { SyncSession } from "#sync/syncSession.js";

// One side of a sync in a process of its own: `syncPeer.node.js send|receive <folder> <port>`. Prints what it has used.
const [mode, root, port] = process.argv.slice(2) as ["send" | "receive", string, string];
const ids = { send: "a".repeat(16), receive: "b".repeat(16) };

const socket = mode === "send" ? connect(Number(port), "127.0.0.1") : await accepted();
const store = new IndexFile(`${root}.index`);
const shared = new SharedFolder({
  folder: await DiskFolder.open(root, { writable: true }),
  index: await store.load(),
  store,
  device: ids[mode],
  wall: () => Date.now(),
});
await shared.rescan();
const session = new SyncSession({
  stream: streamOf(socket),
  shared,
  mode,
  peer: ids[mode === "send" ? "receive" : "send"],
  onEvent: (event) => {
    if (event.type === "synced") void session.end();
  },
  wait: () => new Promise(() => {}),
});
await session.run();
socket.end();
console.log(JSON.stringify({ mode, files: shared.index.files, maxRssMiB: process.resourceUsage().maxRSS / 1024 }));
process.exit(0);

async function accepted(): Promise<Socket> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  console.log(typeof address === "object" ? address?.port : address);
  const [peer] = (await once(server, "connection")) as [Socket];
  server.close();
  return peer;
}

function streamOf(peer: Socket): ByteStream {
  peer.pause();
  const chunks = peer[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  return {
    async write(bytes) {
      if (!peer.write(bytes)) await once(peer, "drain");
    },
    async read() {
      const { value, done } = await chunks.next();
      return done ? undefined : value;
    },
    async end() {
      peer.end();
    },
    reset: () => void peer.destroy(),
  };
}

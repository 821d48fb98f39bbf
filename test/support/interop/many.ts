import assert from "node:assert/strict";
import { Agent, createServer, type IncomingMessage, request } from "node:http";
import type { Duplex } from "node:stream";
import { StreamDuplex } from "#transport/duplex.node.js";
import type { Session } from "#transport/session.js";
import { memory } from "../parked.js";
import { readAll } from "../streams.js";
import { connected, type InteropCase, sha } from "./world.js";

// The runner's cases with many streams: files as HTTP serves them, and as a folder has them.

const KB = 1024;
const GROWTH = 20 * 1024 * KB;
const KEPT = 2 * 1024 * KB;
const mb = (bytes: number): string => Math.max(0, bytes / KB / KB).toFixed(1);

/** Node's own HTTP over our streams: one stream is one connection of HTTP/1.1. */
class HttpOverStreams {
  connections = 0;
  aborted = 0;
  readonly agent: Agent;
  readonly #files: ReadonlyMap<string, Uint8Array>;

  constructor(client: Session, server: Session, files: ReadonlyMap<string, Uint8Array>) {
    this.#files = files;
    const http = createServer((asked, answer) => {
      asked.on("error", () => {});
      if (asked.method === "POST") void collect(asked).then((bytes) => answer.end(sha(bytes)));
      else answer.end(this.#files.get(asked.url ?? ""));
    });
    void (async () => {
      for await (const stream of server.incomingStreams()) {
        this.connections++;
        const socket = new StreamDuplex(stream, server.path);
        socket.on("error", () => {
          this.aborted++;
        });
        http.emit("connection", socket);
      }
    })();
    this.agent = new Agent({ keepAlive: true, maxSockets: 4 });
    this.agent.createConnection = (_options, done) => {
      client.openStream().then(
        (stream) => done?.(null, quiet(new StreamDuplex(stream, client.path))),
        (error: unknown) => done?.(error as Error, undefined as unknown as Duplex),
      );
      return undefined;
    };
  }

  /** The body of the answer. */
  ask(path: string, body?: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const asking = request({ agent: this.agent, path, method: body ? "POST" : "GET" }, (answer) => {
        collect(answer).then(resolve, reject);
      });
      asking.on("error", reject);
      asking.end(body);
    });
  }

  /** Asks, and goes away when the first bytes have come. */
  leave(path: string): Promise<void> {
    return new Promise((resolve) => {
      const asking = request({ agent: this.agent, path }, (answer) => {
        answer.once("data", () => asking.destroy());
        answer.on("error", () => {});
        answer.on("close", resolve);
      });
      asking.on("error", () => resolve());
      asking.end();
    });
  }
}

function quiet(socket: StreamDuplex): StreamDuplex {
  return socket.on("error", () => {});
}

async function collect(message: IncomingMessage): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  for await (const part of message) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

async function http(): Promise<string> {
  const { world, client, server } = await connected();
  const files = new Map<string, Uint8Array>([5, 10, 500].map((kb) => [`/${kb}`, world.random.bytes(kb * KB)] as const));
  files.set("/large", world.random.bytes(4000 * KB));
  const web = new HttpOverStreams(client, server, files);
  const start = world.clock.now();
  const paths = ["/5", "/10", "/500"];
  const bodies = await world.until(Promise.all(paths.map((path) => web.ask(path))));
  for (const [i, path] of paths.entries())
    assert.equal(sha(bodies[i] ?? new Uint8Array()), sha(files.get(path) ?? new Uint8Array()));
  const took = world.clock.now() - start;
  const before = web.connections;
  for (let i = 0; i < 10; i++) assert.equal((await world.until(web.ask("/5"))).length, 5 * KB);
  assert.equal(web.connections, before, "kept alive: no new stream");
  const upload = world.random.bytes(500 * KB);
  assert.equal(Buffer.from(await world.until(web.ask("/", upload))).toString(), sha(upload));
  await world.until(web.leave("/large"));
  await world.clock.runUntilAsync(() => web.aborted > 0, 5_000);
  assert.equal(web.aborted, 1, "the server hears that nobody reads any more");
  assert.equal((await world.until(web.ask("/10"))).length, 10 * KB);
  web.agent.destroy();
  await world.clock.runUntilAsync(() => client.stats().streams === 0, 5_000);
  assert.deepEqual([client.closeInfo, client.stats().streams], [undefined, 0]);
  return `${(took / 1000).toFixed(2)} s; 10 more and an upload over ${before} connections, one aborted`;
}

async function folder(size: number): Promise<string> {
  const { world, client, server } = await connected();
  const content = world.random.bytes(4 * KB);
  let whole = 0;
  void (async () => {
    for await (const stream of server.incomingStreams())
      void readAll(stream).then((bytes) => {
        if (Buffer.from(bytes).equals(content)) whole++;
      });
  })();
  const send = async (count: number): Promise<void> => {
    const stream = await client.openStream({ unidirectional: true });
    await stream.write(content);
    await stream.end();
    if (count > 1) await send(count - 1);
  };
  // Forty at a time, as a folder is read. What comes first warms up compiler and heap.
  const files = async (count: number): Promise<void> => {
    await world.until(Promise.all(Array.from({ length: 40 }, () => send(count / 40))));
  };
  const count = size < 1 ? 400 : 10_000;
  await files(count);
  const before = memory();
  await files(count);
  const after = memory();
  const [growth, kept] = [after.resident - before.resident, after.heap - before.heap];
  await world.clock.runUntilAsync(() => whole === 2 * count, 1_000);
  assert.equal(whole, 2 * count);
  assert.ok(growth < GROWTH, `${growth} bytes`);
  // Nothing stays of a stream that is over.
  assert.ok(kept < KEPT, `${kept} bytes are kept`);
  return `${count} files, the process grew by ${mb(growth)} MB, its objects by ${mb(kept)} MB`;
}

export const MANY_STREAMS: readonly InteropCase[] = [
  {
    name: "http3",
    check: "Node's HTTP/1.1 over our streams: 5 + 10 + 500 KB, keep-alive, an upload, an aborted download",
    run: http,
  },
  {
    name: "multiplexing, folder",
    check: "10,000 files of 4 KB, a stream each; both ends together grow by less than 20 MB",
    run: folder,
  },
];

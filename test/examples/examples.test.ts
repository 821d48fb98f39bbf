import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { createClient, createServer } from "handfast/node";
import { tracesIn } from "../support/qlogTrace.js";

class Example {
  readonly #child: ChildProcess;
  readonly exit: Promise<number | null>;
  #text = "";
  #wake: () => void = () => {};

  constructor(name: string, cwd: string, ...args: readonly string[]) {
    this.#child = spawn(process.execPath, [resolve(`dist/test/examples/${name}.js`), ...args], {
      cwd,
      env: { ...process.env, HANDFAST_INTERFACE: "lo" },
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.exit = new Promise((done) => this.#child.on("close", done));
    void this.exit.then(() => this.#wake());
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#text += text;
      this.#wake();
    });
  }

  /** Waits until the program has printed this, and gives the first group. */
  async says(what: RegExp): Promise<string> {
    for (;;) {
      const found = what.exec(this.#text);
      if (found) return found[1] ?? found[0];
      assert.equal(this.#child.exitCode, null, `ended without saying ${what}: ${this.#text}`);
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
  }

  answer(text: string): void {
    this.#child.stdin?.write(`${text}\n`);
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

test("the server and the client of the README meet, compare and talk; the second time nobody is asked", async (t) => {
  const cwd = mkdtempSync(join(tmpdir(), "handfast-example-"));
  const server = new Example("server", cwd, "0");
  t.after(async () => {
    server.kill();
    await server.exit;
    rmSync(cwd, { recursive: true, force: true });
  });
  const port = await server.says(/Listening on UDP (\d+)/);
  const client = new Example("client", cwd, `127.0.0.1:${port}`);
  const [there, here] = await Promise.all([server.says(/phone shows (\d{6})\?/), client.says(/PC shows (\d{6})\?/)]);
  assert.equal(there, here);
  server.answer("y");
  client.answer("y");
  assert.equal(await client.exit, 0);
  assert.equal(await client.says(/answers: (.*)/), "something confidential");
  assert.equal(await client.says(/and: (.*)/), "ping");
  const again = new Example("client", cwd);
  assert.equal(await again.exit, 0);
  assert.equal(await again.says(/answers: (.*)/), "something confidential");
});

test("the library in one process: await using, rekeying, an exported key", async (t) => {
  const cwd = mkdtempSync(join(tmpdir(), "handfast-example-"));
  t.after(() => rmSync(cwd, { recursive: true, force: true }));
  const options = { service: "notes", interfaces: ["lo"], port: 0, memoryLimit: 32 * 1024 * 1024 };
  await using server = await createServer({ ...options, name: "PC", store: join(cwd, "pc") });
  await using client = await createClient({ ...options, name: "Phone", store: join(cwd, "phone") });
  server.on("pairing", (request) => request.confirm());
  const there = new Promise<Uint8Array>((done) => {
    server.on("session", (session) => done(session.exportKey("my app v1", 32)));
  });
  server.openPairing();
  const pc = await client.pair(client.at(`127.0.0.1:${server.port}`), { compare: async () => true });
  await using session = await client.connect(pc);
  assert.equal(session.peer.name, "PC");
  for (const { memory } of [server, client]) assert.equal(memory.limit, options.memoryLimit);
  assert.equal(session.peer.id, server.device);
  assert.deepEqual(session.exportKey("my app v1", 32), await there);
  assert.deepEqual(await session.rekey(), { epoch: 1 });
});

test("looking inside a server and a client in one process: traces, numbers, sizes in multiples", async (t) => {
  const cwd = mkdtempSync(join(tmpdir(), "handfast-example-"));
  t.after(() => rmSync(cwd, { recursive: true, force: true }));
  const options = { service: "notes", interfaces: ["lo"], port: 0, padTo: 128, qlogFormat: "latest" } as const;
  const traces = join(cwd, "traces");
  {
    await using server = await createServer({ ...options, name: "PC", store: join(cwd, "pc"), measureLoop: true });
    const phone = { ...options, name: "Phone", store: join(cwd, "phone"), qlogDir: traces };
    await using client = await createClient(phone);
    server.on("pairing", (request) => request.confirm());
    server.on("session", (session) => session.on("stream", (stream) => stream.pipe(stream)));
    server.openPairing();
    const pc = await client.pair(client.at(`127.0.0.1:${server.port}`), { compare: async () => true });
    await using session = await client.connect(pc);
    const stream = await session.openStream({ wait: false });
    stream.end("something confidential");
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    assert.equal(Buffer.concat(chunks).toString(), "something confidential");
    const { sessions, inits, sendQueueBytes, eventLoopLagP99Ms } = server.stats();
    assert.equal(sessions.live, 1);
    assert.equal(inits.accepted, 1);
    assert.ok(sendQueueBytes >= 0 && eventLoopLagP99Ms !== undefined);
    assert.equal(client.stats().sessions.live, 1);
    assert.ok(session.stats().applicationLimitedMs > 0);
  }
  const [trace] = tracesIn(traces, "initiator");
  assert.equal(trace?.head["file_schema"], "urn:ietf:params:qlog:file:sequential");
  const sizes = trace?.all("quic:packet_sent").map(({ data }) => (data["raw"] as { readonly length: number }).length);
  assert.ok(sizes && sizes.length > 2);
  // The Init, and full packets, have sizes of their own.
  for (const size of sizes) assert.ok(size % 128 === 0 || size === 1200, String(size));
});

test("a step of sizes that no path carries is refused", async (t) => {
  const cwd = mkdtempSync(join(tmpdir(), "handfast-example-"));
  t.after(() => rmSync(cwd, { recursive: true, force: true }));
  const options = { name: "PC", store: join(cwd, "pc"), port: 0, interfaces: ["lo"] };
  for (const padTo of [0, 1201]) await assert.rejects(createServer({ ...options, padTo }), RangeError);
  await using server = await createServer({ ...options, padTo: 1200 });
  assert.ok(server.port > 0);
});

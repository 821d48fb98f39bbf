import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { nobleCrypto } from "#crypto/noble.js";
import { decodeDatagram, parseKeyLog } from "../../tools/decodeDatagram.js";
import { sayYes, TwoDevices } from "./devices.js";

test("QLOGDIR and HANDFAST_KEYLOG: two processes leave traces, and what went over the wire can be read with the keys", async (t) => {
  const devices = new TwoDevices(t);
  devices.write("a.txt", "one");
  const [traces, keys] = [join(devices.base, "traces"), join(devices.base, "keys")];
  const env = { QLOGDIR: traces, HANDFAST_KEYLOG: keys };
  const pc = devices.run("pc", ["share", devices.pcFolder, "--name", devices.pcName, "--port", "0"], undefined, env);
  const { port } = await pc.next("listening");
  const wire = await tap(t, port);
  const joining = ["join", devices.laptopFolder, "--name", "Laptop", "--once", "--peer", `127.0.0.1:${wire.port}`];
  const laptop = devices.run("laptop", joining, undefined, env);
  await sayYes(pc, laptop);
  assert.equal(await laptop.ended, 0);
  assert.equal(await pc.kill("SIGTERM"), 143);

  const files = readdirSync(traces);
  // On a busy machine the laptop may have dialled twice.
  assert.deepEqual(new Set(files.map((file) => file.split("_")[1])), new Set(["initiator.sqlog", "responder.sqlog"]));
  for (const file of files) {
    const records = readFileSync(join(traces, file), "utf8").split("\u001e").slice(1);
    const events = records.map((record) => JSON.parse(record) as { readonly name?: string });
    assert.equal(events[1]?.name, "transport:connection_started");
    assert.equal(events.at(-1)?.name, "transport:connection_closed");
  }
  assert.match(pc.written, /can read all traffic/);
  assert.match(laptop.written, /can read all traffic/);
  assert.equal(statSync(keys).mode & 0o777, 0o600);
  const secrets = parseKeyLog(readFileSync(keys, "utf8"));
  const words = wire.datagrams.map((bytes) => decodeDatagram(bytes, nobleCrypto, secrets).join("\n"));
  assert.ok(words.some((text) => text.startsWith("pairing:")));
  const data = words.filter((text) => text.startsWith("Data"));
  assert.ok(data.length > 0 && data.every((text) => text.includes("of epoch 0, from the")), "every packet was opened");
  assert.ok(data.some((text) => text.includes('"frame_type":"stream"')));
});

test("a log that cannot be written is refused before anything is sent", async (t) => {
  const devices = new TwoDevices(t);
  const file = join(devices.base, "a file");
  writeFileSync(file, "");
  for (const env of [{ QLOGDIR: join(file, "traces") }, { HANDFAST_KEYLOG: join(file, "keys") }]) {
    const pc = devices.run("pc", ["share", devices.pcFolder, "--port", "0"], undefined, env);
    assert.equal((await pc.next("error")).code, "LOG_UNWRITABLE");
    assert.equal(await pc.ended, 2);
  }
});

/** Passes datagrams on between one client and the PC, and keeps them. */
async function tap(t: TestContext, pc: number): Promise<{ readonly port: number; readonly datagrams: Uint8Array[] }> {
  const datagrams: Uint8Array[] = [];
  const socket = createSocket("udp4");
  t.after(() => socket.close());
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  let client = 0;
  socket.on("message", (message, from) => {
    datagrams.push(new Uint8Array(message));
    if (from.port !== pc) client = from.port;
    socket.send(message, from.port === pc ? client : pc, "127.0.0.1");
  });
  return { port: socket.address().port, datagrams };
}

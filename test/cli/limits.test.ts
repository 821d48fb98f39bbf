import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { createClient, type NodeClient } from "handfast/node";
import { askRunning } from "#cli/control.node.js";
import { TwoDevices } from "./devices.js";

test("ten devices at once; the eleventh is told why not, and the ten stay", async (t) => {
  const devices = new TwoDevices(t);
  const { pc, peer } = await devices.share();
  const clients: NodeClient[] = [];
  t.after(() => Promise.all(clients.map((client) => client.close())));
  const meet = async (i: number): Promise<Awaited<ReturnType<NodeClient["connect"]>>> => {
    const store = join(devices.base, `client ${i}`);
    const client = await createClient({ name: `Client ${i}`, store, interfaces: ["lo"] });
    clients.push(client);
    if (i > 0) assert.equal((await askRunning(devices.pcState, { command: "pair", seconds: 60 }))?.ok, true);
    const pairing = client.pair(client.at(peer), { compare: async () => true });
    await pc.next("pairing");
    pc.answer(true);
    return await client.connect(await pairing);
  };
  const sessions = [];
  for (let i = 0; i < 10; i++) {
    sessions.push(await meet(i));
    await pc.next("connected");
  }
  const eleventh = await meet(10);
  assert.match((await eleventh.closed).reason, /10 devices/);
  const { value } = (await askRunning(devices.pcState, { command: "status" })) as {
    value: { devices: readonly { online: boolean }[] };
  };
  assert.equal(value.devices.filter(({ online }) => online).length, 10);
  // One leaves, so there is room again.
  await sessions[0]?.close();
  await pc.next("disconnected");
  const [bond] = (await clients[10]?.bonds()) ?? [];
  assert.ok(bond);
  await clients[10]?.connect(bond);
  await pc.next("connected");
});

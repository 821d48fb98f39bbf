import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import process from "node:process";
import { test } from "node:test";
import type { SyncSession } from "#sync/syncSession.js";
import { TERRIBLE_LINK } from "../simulation/network.js";
import { settle } from "../simulation/virtualClock.js";
import { ChannelWorld } from "../support/channel.js";
import { randomDevice, TestFolder } from "../support/folders.js";

test("a folder crosses the encrypted channel under 30 % loss, both ways", async () => {
  const [one, other] = [new TestFolder("laptop", randomDevice()), new TestFolder("pc", randomDevice())];
  for (let i = 0; i < 10; i++) one.write(`d${i % 3}/f${i}`, randomBytes(10_000));
  one.write("large", randomBytes(400_000));
  other.write("theirs", randomBytes(50_000));
  const world = new ChannelWorld({ seed: 7, link: TERRIBLE_LINK });
  const { client, server } = await world.connected();
  const [left, right] = [await one.open(), await other.open()];
  const stream = await client.openStream();
  const mine = one.session(left, stream, "both", other.device);
  const running = Promise.all([
    mine.run(),
    (async () => {
      for await (const incoming of server.incomingStreams())
        return await other.session(right, incoming, "both", one.device).run();
    })(),
  ]);
  await world.until(Promise.race([running, settled(mine, one, other)]), 3_600_000, diskRests);
  await world.until(Promise.all([mine.end(), running]), 3_600_000, diskRests);
  assert.equal(one.files().length, 12);
  for (const path of one.files()) assert.equal(other.read(path), one.read(path));
});

/** The disk is real and the network's time is not: it stands still while the disk works, however slow that is. */
async function diskRests(): Promise<void> {
  do await settle();
  while (process.getActiveResourcesInfo().some((kind) => kind === "FSReqPromise" || kind === "CloseReq"));
}

async function settled(session: SyncSession, one: TestFolder, other: TestFolder): Promise<void> {
  while (!session.settled || other.files().length < 12)
    await Promise.race([one.more("synced", one.count("synced")), other.more("synced", other.count("synced"))]);
}

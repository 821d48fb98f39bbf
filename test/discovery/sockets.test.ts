import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { networkInterfaces } from "node:os";
import process from "node:process";
import { describe, test } from "node:test";
import dnsPacket from "dns-packet";
import { nativeCrypto } from "#crypto/native.node.js";
import type { Host } from "#discovery/browser.js";
import type { LocalDiscovery } from "#discovery/localDiscovery.js";
import { Mdns } from "#discovery/mdns.node.js";
import { systemClock, systemRandom } from "#transport/clock.node.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { DeviceProcess } from "./processes.js";

/** IPv4, and IPv6 where the machine has it. */
const LOOPBACK = (networkInterfaces()["lo"] ?? []).map(({ address }) => address);
const LIMIT = { timeout: 30_000 };

/** Only announced, never bound: what tells the devices of this run from others on the same loopback. */
function portOf(story: number): number {
  return 20_000 + ((process.pid * 8 + story) % 40_000);
}

async function openOnLoopback(interfaces: readonly string[] = ["lo"]): Promise<LocalDiscovery> {
  return await Mdns.open({ clock: systemClock, random: systemRandom, crypto: nativeCrypto, interfaces });
}

/** Resolves with the first of `event` that fits; other tests may be on the same loopback. */
function awaitHost(
  discovery: LocalDiscovery,
  fits: (host: Host) => boolean,
): { found: Promise<Host>; lost: Promise<void> } {
  let instance: string | undefined;
  let onLost = (): void => {};
  const lost = new Promise<void>((resolve) => {
    onLost = resolve;
  });
  const found = new Promise<Host>((resolve) => {
    const look = (host: Host): void => {
      if (!fits(host)) return;
      instance = host.instance;
      resolve(host);
    };
    discovery.browse({ onFound: look, onUpdated: look, onLost: (gone) => gone === instance && onLost() });
  });
  return { found, lost };
}

describe("real sockets on loopback", { concurrency: true }, () => {
  test("on loopback: announced, found, resolved, renamed by the window, said goodbye", LIMIT, async () => {
    const pc = await openOnLoopback();
    const laptop = await openOnLoopback();
    try {
      const port = portOf(0);
      const advertisement = pc.advertise({ port, irk: new Uint8Array(16), name: "Ana's PC" });
      const { found, lost } = awaitHost(laptop, (host) => host.port === port);
      const { addresses, name, pairing } = await found;
      assert.deepEqual([addresses, name, pairing], [LOOPBACK, undefined, false]);
      const named = awaitHost(laptop, (host) => host.port === port && host.name === "Ana's PC").found;
      advertisement.setPairing(true);
      assert.equal((await named).pairing, true);
      const hidden = awaitHost(laptop, (host) => host.port === port && host.name === undefined).found;
      advertisement.setPairing(false);
      await hidden;
      await advertisement.close();
      await lost;
      assert.deepEqual(laptop.status.problems, []);
    } finally {
      await pc.close();
      await laptop.close();
    }
  });

  test("two processes on one machine see each other, and end by themselves", LIMIT, async () => {
    const port = portOf(1);
    await using pc = new DeviceProcess("advertise", ["lo", String(port), "Bob's PC"]);
    await using laptop = new DeviceProcess("browse", ["lo"]);
    const found = await laptop.until((line) => line.event === "found" && line.port === port);
    assert.equal(found.name, undefined);
    pc.say("open");
    const named = await laptop.until((line) => line.port === port && line.name === "Bob's PC");
    assert.equal(named.instance, found.instance);
    assert.equal(await pc.end(), 0);
    await laptop.until((line) => line.event === "lost" && line.instance === found.instance);
    assert.equal(await laptop.end(), 0);
  });

  test("a machine that slept may be elsewhere: it has new labels", LIMIT, async () => {
    let slept = 0;
    const clock = { ...systemClock, wall: () => systemClock.wall() + slept };
    const pc = await Mdns.open({ clock, random: systemRandom, crypto: nativeCrypto, interfaces: ["lo"] });
    const laptop = await openOnLoopback();
    try {
      const port = portOf(2);
      pc.advertise({ port, irk: new Uint8Array(16), name: "PC" });
      const { instance } = await awaitHost(laptop, (host) => host.port === port).found;
      slept = 31_000;
      const renamed = await awaitHost(laptop, (host) => host.port === port && host.instance !== instance).found;
      assert.deepEqual(renamed.addresses, LOOPBACK);
    } finally {
      await pc.close();
      await laptop.close();
    }
  });

  test("a plain DNS client on a port of its own is answered there", LIMIT, async () => {
    const pc = await openOnLoopback();
    const laptop = await openOnLoopback();
    const client = createSocket("udp4");
    try {
      const port = portOf(7);
      pc.advertise({ port, irk: new Uint8Array(16), name: "PC" });
      const { instance } = await awaitHost(laptop, (host) => host.port === port).found;
      client.bind(0, "127.0.0.1");
      await once(client, "listening");
      client.setMulticastInterface("127.0.0.1");
      const answered = once(client, "message") as Promise<[Buffer]>;
      const question = dnsPacket.encode({ type: "query", id: 4242, questions: [{ name: instance, type: "SRV" }] });
      client.send(question, 5353, "224.0.0.251");
      const { id, questions, answers } = dnsPacket.decode((await answered)[0]);
      assert.deepEqual([id, questions?.[0]?.name], [4242, instance]);
      assert.deepEqual(
        answers?.map((answer) => [answer.type, "ttl" in answer && answer.ttl]),
        [["SRV", 10]],
      );
    } finally {
      client.close();
      await pc.close();
      await laptop.close();
    }
  });

  test("garbage on port 5353 changes nothing", LIMIT, async () => {
    const pc = await openOnLoopback();
    const laptop = await openOnLoopback();
    const stranger = createSocket("udp4");
    try {
      stranger.bind(0, "127.0.0.1");
      await once(stranger, "listening");
      stranger.setMulticastInterface("127.0.0.1");
      const random = new SeededRandom(1);
      const port = portOf(3);
      pc.advertise({ port, irk: new Uint8Array(16), name: "PC" });
      for (let i = 0; i < 300; i++) {
        const bytes = random.bytes(random.integer(1400));
        await new Promise((done) => stranger.send(bytes, 5353, i % 2 ? "224.0.0.251" : "127.0.0.1", done));
      }
      await awaitHost(laptop, (host) => host.port === port).found;
    } finally {
      stranger.close();
      await pc.close();
      await laptop.close();
    }
  });

  test("what does not work is a sentence for the person, not an exception", LIMIT, async () => {
    const nowhere = await openOnLoopback(["no-such-interface0"]);
    assert.match(nowhere.status.problems.join(), /no interface no-such-interface0/);
    const advertisement = nowhere.advertise({ port: 4760, irk: new Uint8Array(16), name: "PC" });
    nowhere.browse({ onFound: () => {} });
    advertisement.setPairing(true);
    await advertisement.close();
    await nowhere.close();
    await nowhere.close();
    assert.deepEqual(nowhere.addresses, []);
  });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { nativeCrypto } from "#crypto/native.node.js";
import type { Host } from "#discovery/browser.js";
import { LocalDiscovery } from "#discovery/localDiscovery.js";
import { type DnsRecord, META, SERVICE } from "#discovery/records.js";
import { tagMatches } from "#discovery/tag.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { withSeeds } from "../simulation/seeds.js";
import { VirtualClock } from "../simulation/virtualClock.js";
import { encode, Segment, Station, type Weather } from "./segment.js";

const BAD_WEATHER: Weather = { loss: 0.1, duplicate: 0.1, jitterMs: 40 };

/** A house: machines on links, all with the production code. */
class House {
  readonly clock = new VirtualClock();
  readonly lan: Segment;
  readonly #seed: number;
  #machines = 0;

  constructor(seed: number, weather?: Weather) {
    this.#seed = seed;
    this.lan = new Segment(this.clock, seed, weather);
  }

  machine(...segments: readonly Segment[]): { readonly station: Station; readonly discovery: LocalDiscovery } {
    const number = ++this.#machines;
    const station = new Station();
    for (const [i, segment] of (segments.length > 0 ? segments : [this.lan]).entries())
      station.plug(`eth${i}`, `10.0.${i}.${number}`, segment);
    const random = new SeededRandom(this.#seed * 1000 + number).bytes;
    return { station, discovery: new LocalDiscovery({ clock: this.clock, random, crypto: nativeCrypto }, station) };
  }

  watch(discovery: LocalDiscovery, service?: string): Map<string, Host> {
    const found = new Map<string, Host>();
    const put = (host: Host): void => void found.set(host.instance, host);
    const onLost = (instance: string): void => void found.delete(instance);
    discovery.browse({ ...(service && { service }), onFound: put, onUpdated: put, onLost });
    return found;
  }

  run(seconds: number): void {
    this.clock.runUntil(() => false, seconds * 1000);
  }
}

const irkOf = (i: number): Uint8Array => new Uint8Array(16).fill(i);

test("ten devices and three browsers find each other in bad weather, and lose who leaves", async () => {
  await withSeeds(5, (seed) => {
    const house = new House(seed, BAD_WEATHER);
    const devices = Array.from({ length: 10 }, (_, i) => {
      const { discovery, station } = house.machine();
      const advertisement = discovery.advertise({ port: 4760 + i, irk: irkOf(i), name: `device ${i}` });
      return { discovery, station, advertisement };
    });
    const views = [1, 2, 3].map(() => house.watch(house.machine().discovery));
    house.run(120);
    for (const view of views) {
      assert.deepEqual(
        [...view.values()].map(({ port }) => port).sort(),
        devices.map((_, i) => 4760 + i),
      );
      for (const { tag, port, addresses } of view.values()) {
        assert.ok(tag);
        assert.deepEqual(addresses, [`10.0.0.${port - 4759}`]);
        for (let i = 0; i < 10; i++) assert.equal(tagMatches(nativeCrypto, irkOf(i), tag), i === port - 4760);
      }
    }
    // Three say goodbye, three are cut off without a word.
    for (const { advertisement } of devices.slice(0, 3)) void advertisement.close();
    for (const { station } of devices.slice(3, 6)) station.unplug("eth0");
    house.run(125);
    for (const view of views)
      assert.deepEqual([...view.values()].map(({ port }) => port).sort(), [4766, 4767, 4768, 4769]);
    // And come back, with other labels.
    for (const [i, { station }] of devices.slice(3, 6).entries()) station.plug("eth0", `10.0.0.${4 + i}`, house.lan);
    house.run(60);
    for (const view of views) assert.equal(view.size, 7);
  });
});

test("a goodbye reaches the browser in a second; a new listener is told at once what is there", () => {
  const house = new House(1);
  const pc = house.machine().discovery;
  const advertisement = pc.advertise({ port: 4760, irk: irkOf(1), name: "PC" });
  const { discovery } = house.machine();
  const view = house.watch(discovery);
  house.run(3);
  assert.equal(view.size, 1);
  const late = house.watch(discovery);
  house.run(0.001);
  assert.equal(late.size, 1);
  void advertisement.close();
  house.run(1.1);
  assert.deepEqual([view.size, late.size], [0, 0]);
});

test("who leaves the network altogether says goodbye as well", () => {
  const house = new House(2);
  const pc = house.machine().discovery;
  pc.advertise({ port: 4760, irk: irkOf(1), name: "PC" });
  const view = house.watch(house.machine().discovery);
  house.run(3);
  assert.equal(view.size, 1);
  void pc.close();
  house.run(1.1);
  assert.equal(view.size, 0);
});

test("name and application are known while the window is open, on a lossy link too, and nobody keeps them", async () => {
  await withSeeds(20, (seed) => {
    const house = new House(seed, BAD_WEATHER);
    const { discovery } = house.machine();
    const advertisement = discovery.advertise({ port: 4760, irk: irkOf(1), name: "Ana's PC", service: "notes" });
    const all = house.watch(house.machine().discovery);
    const notes = house.watch(house.machine().discovery, "notes");
    const others = house.watch(house.machine().discovery, "chess");
    house.run(30);
    assert.deepEqual(
      [...all.values()].map(({ name }) => name),
      [undefined],
    );
    assert.equal(notes.size + others.size, 0);
    advertisement.setPairing(true);
    house.run(130);
    assert.deepEqual(
      [...all.values()].map(({ name, pairing }) => [name, pairing]),
      [["Ana's PC", true]],
    );
    assert.deepEqual(
      [...notes.values()].map(({ name }) => name),
      ["Ana's PC"],
    );
    assert.equal(others.size, 0);
    advertisement.setPairing(false);
    house.lan.heard.length = 0;
    house.run(125);
    assert.deepEqual(
      [...all.values()].map(({ name, pairing }) => [name, pairing]),
      [[undefined, false]],
    );
    assert.equal(notes.size, 0);
    const spoken = house.lan.heard.flatMap(({ packet }) => packet.answers ?? []).filter(({ ttl }) => ttl !== 0);
    const text = spoken
      .map(({ data }) => (Array.isArray(data) ? Buffer.concat(data as Uint8Array[]).toString() : ""))
      .join();
    assert.doesNotMatch(text, /Ana|p=1/);
  });
});

test("two links: each hears its own addresses, and one of them may go", () => {
  const house = new House(3);
  const wlan = new Segment(house.clock, 3);
  const pc = house.machine(house.lan, wlan);
  pc.discovery.advertise({ port: 4760, irk: irkOf(1), name: "PC" });
  const laptop = house.machine(house.lan, wlan);
  const view = house.watch(laptop.discovery);
  const phone = house.watch(house.machine(wlan).discovery);
  house.run(5);
  assert.deepEqual(
    [...view.values()].map(({ addresses }) => [...addresses].sort()),
    [["10.0.0.1", "10.0.1.1"]],
  );
  assert.equal(phone.size, 0, "10.0.0.3 is off that link: dropped at the door");
  const onLan = house.lan.heard.flatMap(({ packet }) => packet.answers ?? []).filter(({ type }) => type === "A");
  assert.deepEqual([...new Set(onLan.map(({ data }) => data))], ["10.0.0.1"]);
  laptop.station.unplug("eth0");
  pc.station.unplug("eth0");
  house.run(130);
  assert.deepEqual(
    [...view.values()].map(({ addresses }) => addresses),
    [["10.0.1.1"]],
  );
});

test("one link with two sockets is no conflict with oneself", () => {
  const house = new House(4);
  const station = new Station();
  station.plug("eth0", "10.0.0.1", house.lan);
  const twin = new Station();
  // Both stations feed one discovery: cable and wireless of one machine in one network.
  const both = {
    get interfaces() {
      return [...station.interfaces, { name: "wlan0", subnets: [{ address: "10.0.0.2", prefix: 24 }] }];
    },
    problems: [],
    listen: (listener: Parameters<Station["listen"]>[0]) => {
      station.listen(listener);
      twin.listen(listener);
    },
    send: async (message: Parameters<Station["send"]>[0]) =>
      message.interface === "eth0" ? station.send(message) : twin.send(message),
    close: async () => {},
  };
  const random = new SeededRandom(4).bytes;
  const discovery = new LocalDiscovery({ clock: house.clock, random, crypto: nativeCrypto }, both);
  twin.plug("wlan0", "10.0.0.2", house.lan);
  discovery.advertise({ port: 4760, irk: irkOf(1), name: "PC" });
  const view = house.watch(house.machine().discovery);
  house.run(600);
  assert.equal(view.size, 1);
  const labels = new Set(
    house.lan.heard
      .flatMap(({ packet }) => packet.answers ?? [])
      .filter(({ type }) => type === "SRV")
      .map(({ name }) => name),
  );
  assert.equal(labels.size, 1, "no renaming");
});

test("the door: off-link sources, other ports, error codes, and floods are counted and not heard", () => {
  const house = new House(5);
  const { discovery } = house.machine();
  const view = house.watch(discovery);
  const [instance, host] = [`hf-x.${SERVICE}`, "hf-y.local"];
  const forged: DnsRecord[] = [
    { name: SERVICE, type: "PTR", ttl: 120, data: instance },
    { name: instance, type: "SRV", ttl: 120, data: { port: 1, target: host } },
    { name: instance, type: "TXT", ttl: 120, data: [Buffer.from("v=1")] },
    { name: host, type: "A", ttl: 120, data: "10.0.0.66" },
  ];
  const packet = encode({ kind: "response", packet: { answers: forged } });
  house.run(1);
  house.lan.send(packet, { address: "10.9.0.66", port: 5353 });
  house.lan.send(packet, { address: "10.0.0.66", port: 4444 });
  const failing = packet.slice();
  failing[3] = 3;
  house.lan.send(failing, { address: "10.0.0.66", port: 5353 });
  const many = Array.from({ length: 257 }, (_, i) => ({ name: META, type: "A", ttl: 1, data: `10.0.0.${i & 255}` }));
  house.lan.send(encode({ kind: "response", packet: { answers: many } }), { address: "10.0.0.66", port: 5353 });
  house.run(1);
  assert.equal(view.size, 0);
  assert.deepEqual(discovery.status.drops, { offLink: 1, badPort: 1, malformed: 1, oversized: 1, flood: 0 });
  house.lan.send(packet, { address: "10.0.0.66", port: 5353 });
  house.run(1);
  assert.equal(view.size, 1, "without these marks the same packet is heard");
  house.run(5);
  for (let i = 0; i < 1000; i++) house.lan.send(packet, { address: "10.0.0.66", port: 5353 });
  house.run(0.01);
  const { flood } = discovery.status.drops;
  assert.ok(flood >= 590 && flood <= 600, String(flood));
});

test("a flood of invented devices ends; the real one is seen again", () => {
  const house = new House(6);
  house.machine().discovery.advertise({ port: 4760, irk: irkOf(1), name: "PC" });
  const { discovery } = house.machine();
  const view = house.watch(discovery);
  house.run(3);
  assert.equal(view.size, 1);
  for (let i = 0; i < 3000; i++) {
    const data = `hf-${i}.${SERVICE}`;
    const answers = [{ name: SERVICE, type: "PTR", ttl: 120, data }];
    house.lan.send(encode({ kind: "response", packet: { answers } }), { address: "10.0.0.66", port: 5353 });
    house.run(0.01);
  }
  house.run(120);
  assert.deepEqual(
    [...view.values()].map(({ port }) => port),
    [4760],
  );
  const asked = house.lan.heard.filter(({ packet }) => packet.type === "query").length;
  assert.ok(asked < 1000, `${asked} queries`);
});

test("a simultaneous claim of the same labels ends with two devices under different ones", () => {
  const house = new House(7);
  const stations = [1, 2].map((i) => {
    const station = new Station();
    station.plug("eth0", `10.0.0.${i}`, house.lan);
    // The same random numbers until the labels are chosen: a broken generator.
    return new LocalDiscovery({ clock: house.clock, random: new SeededRandom(7).bytes, crypto: nativeCrypto }, station);
  });
  for (const [i, discovery] of stations.entries())
    discovery.advertise({ port: 4760 + i, irk: irkOf(1), name: `PC ${i}` });
  const view = house.watch(house.machine().discovery);
  house.run(30);
  assert.deepEqual([...view.values()].map(({ port }) => port).sort(), [4760, 4761]);
});

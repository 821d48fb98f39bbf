import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBondStore } from "#bonds/memoryStore.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { Client } from "#device/client.js";
import type { DevicePorts } from "#device/devicePorts.js";
import type { Discovery } from "#device/discoveryPort.js";
import type { OpenPairing } from "#device/pairingHost.js";
import type { PairingWay } from "#device/runPairing.js";
import { Server } from "#device/server.js";
import type { Address } from "#kernel/ports.js";
import { SimulatedNetwork } from "../simulation/network.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { VirtualClock } from "../simulation/virtualClock.js";
import { PC, PHONE } from "../support/pairing.js";

/** A PC and a phone as applications see them. */
class Devices {
  readonly clock = new VirtualClock();
  readonly server: Server;
  readonly client: Client;
  readonly pcStore: MemoryBondStore;
  readonly #network: SimulatedNetwork;
  readonly #random = new SeededRandom(5).bytes;
  letters = "";
  link = "";
  asked: string[] = [];

  constructor(names: readonly [pc: string, phone: string] = ["Ana's PC", "Ana's phone"]) {
    this.#network = new SimulatedNetwork(this.clock, 1);
    this.pcStore = new MemoryBondStore(this.#random);
    this.server = new Server(this.#ports(PC, this.pcStore), { name: names[0], platform: "test", service: "notes" });
    this.client = new Client(this.#ports(PHONE), { name: names[1], platform: "test", service: "notes" });
    this.server.on("pairing", (request) => {
      this.asked.push(`${request.method} ${request.peer.name}`);
      request.confirm();
    });
    this.server.on("pairingApproval", (request) => {
      this.asked.push(`${request.method} ${request.peer.name} ${request.peer.resembles ?? "-"}`);
      request.confirm();
    });
    this.server.on("pairingCode", ({ letters }) => {
      this.letters = letters;
    });
    this.server.on("pairingLink", ({ link }) => {
      this.link = link;
    });
  }

  async pair(way: () => PairingWay, window: OpenPairing, target = this.client.at("10.0.0.1:4760")): Promise<string> {
    this.server.openPairing(window);
    let outcome = "";
    void this.client.pair(target, way()).then(
      ({ device }) => {
        outcome = device;
      },
      (error: { code: string }) => {
        outcome = error.code;
      },
    );
    await this.clock.runUntilAsync(() => outcome !== "", 60_000);
    return outcome;
  }

  #ports(at: Address, store: MemoryBondStore = new MemoryBondStore(this.#random)): DevicePorts {
    const discovery: Discovery = {
      advertise: () => ({ setPairing: () => {}, close: async () => {} }),
      browse: () => ({ close: () => {} }),
      addresses: [at.host],
      close: async () => {},
    };
    return {
      crypto: nativeCrypto,
      random: this.#random,
      clock: this.clock,
      store,
      socket: this.#network.socket(at),
      discovery,
      maxDatagram: () => 1200,
    };
  }
}

test("client and server pair by digits, by letters, by a link and by a secret", async () => {
  const secret = new Uint8Array(32).fill(3);
  const ways: [string, OpenPairing, (devices: Devices) => PairingWay, readonly string[]][] = [
    ["compare", {}, () => ({ compare: async () => true }), ["compare Ana's phone"]],
    ["code", { method: "code" }, (d) => ({ enterCode: async () => d.letters }), ["code Ana's phone -"]],
    ["link", { method: "link" }, (d) => ({ link: d.link }), ["link Ana's phone -"]],
    ["secret", { secret }, () => ({ secret }), []],
  ];
  for (const [name, window, way, asked] of ways) {
    const devices = new Devices();
    assert.equal(await devices.pair(() => way(devices), window), devices.server.device, name);
    assert.deepEqual(devices.asked, asked);
    assert.equal((await devices.client.bonds())[0]?.state, "confirmed");
  }
});

test("a link carries its addresses, and the first that answers counts", async () => {
  const devices = new Devices();
  devices.server.openPairing({ method: "link" });
  const target = devices.client.fromLink(devices.link);
  assert.deepEqual(target.addresses, [PC]);
  const way = (): PairingWay => ({ link: devices.link });
  const addresses = [{ host: "10.9.9.9", port: 4760 }, ...target.addresses, { host: "10.9.9.8", port: 4760 }];
  const began = devices.clock.now();
  assert.equal(await devices.pair(way, { method: "link" }, { name: undefined, addresses }), devices.server.device);
  assert.ok(devices.clock.now() - began < 1000, "dead addresses cost no time");
  assert.deepEqual((await devices.client.bonds())[0]?.addresses[0], PC);
});

test("what cannot be letters is asked for again, and a person who gives up ends it", async () => {
  const devices = new Devices();
  const asked: boolean[] = [];
  const typed = ["472915", "bcd", ""];
  const enterCode = async ({ again }: { again: boolean }): Promise<string> => {
    asked.push(again);
    return typed.shift() ?? devices.letters.toLowerCase();
  };
  assert.equal(await devices.pair(() => ({ enterCode }), { method: "code" }), devices.server.device);
  assert.deepEqual(asked, [false, true, true, true]);
  const other = new Devices();
  const giveUp = async (): Promise<string> => {
    throw new Error("escape");
  };
  assert.equal(await other.pair(() => ({ enterCode: giveUp }), { method: "code" }), "PAIRING_CANCELLED");
});

test("a name that looks like one we know is pointed out", async () => {
  const devices = new Devices(["PC", "Аna’s рhone"]);
  const known = new Devices(["PC", "Ana's phone"]);
  assert.equal(await known.pair(() => ({ compare: async () => true }), {}), known.server.device);
  // The same PC, another device.
  for (const bond of known.server.bonds()) await devices.pcStore.put(bond);
  await devices.pair(() => ({ enterCode: async () => devices.letters }), { method: "code" });
  assert.deepEqual(devices.asked, ["code Аna’s рhone Ana's phone"]);
});

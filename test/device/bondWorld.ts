import type { Bond, Tombstone } from "#bonds/bond.js";
import { MemoryBondStore } from "#bonds/memoryStore.js";
import { Secret } from "#bonds/secret.js";
import type { BondStore, DeviceIdentity, StoredAttempts } from "#bonds/store.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { Client } from "#device/client.js";
import type { DevicePorts } from "#device/devicePorts.js";
import type { Discovery, Host } from "#device/discoveryPort.js";
import { Server } from "#device/server.js";
import { toHex } from "#kernel/bytes.js";
import type { HandfastError } from "#kernel/errors.js";
import type { Address, Clock, DatagramSocket } from "#kernel/ports.js";
import { GOOD_LINK, type Link, SimulatedNetwork } from "../simulation/network.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { VirtualClock } from "../simulation/virtualClock.js";

export const PC: Address = { host: "10.0.0.1", port: 4760 };
export const PHONE: Address = { host: "10.0.0.2", port: 50_000 };

/** A disk that takes its time, and that a crash stops between two writes: the one under way happens or not. */
export class SlowStore implements BondStore {
  readonly disk: MemoryBondStore;
  readonly #clock: Clock;
  readonly #latency: () => number;
  #queue: Promise<unknown> = Promise.resolve();
  #underWay: (() => Promise<unknown>) | undefined;
  #dead = false;
  writes = 0;
  /** Set: every write fails, as on a full disk. */
  failure: Error | undefined;

  constructor(disk: MemoryBondStore, clock: Clock, latency: () => number) {
    this.disk = disk;
    this.#clock = clock;
    this.#latency = latency;
  }

  async crash(finishes: boolean): Promise<void> {
    this.#dead = true;
    if (finishes) await this.#underWay?.();
  }

  identity(): DeviceIdentity {
    return this.disk.identity();
  }
  bonds(): readonly Bond[] {
    return this.disk.bonds();
  }
  tombstones(): readonly Tombstone[] {
    return this.disk.tombstones();
  }
  attempts(): StoredAttempts {
    return this.disk.attempts();
  }
  setName(name: string): Promise<void> {
    return this.#write(() => this.disk.setName(name));
  }
  put(bond: Bond): Promise<void> {
    return this.#write(() => this.disk.put(bond));
  }
  update(id: string, change: (bond: Bond) => Bond | undefined): Promise<Bond | undefined> {
    return this.#write(() => this.disk.update(id, change));
  }
  remove(id: string, wallNow: number): Promise<boolean> {
    return this.#write(() => this.disk.remove(id, wallNow));
  }
  drop(id: string): Promise<boolean> {
    return this.#write(() => this.disk.drop(id));
  }
  saveAttempts(attempts: StoredAttempts): Promise<void> {
    return this.#write(() => this.disk.saveAttempts(attempts));
  }
  async close(): Promise<void> {}

  #write<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#queue.then(async () => {
      const wait = this.#latency();
      this.#underWay = work;
      if (wait > 0) await new Promise<void>((done) => this.#clock.schedule(wait, done));
      if (this.#dead) return await new Promise<never>(() => {});
      this.#underWay = undefined;
      if (this.failure) throw this.failure;
      this.writes++;
      return await work();
    });
    this.#queue = result.catch(() => {});
    return result;
  }
}

/** Announcements that a test makes up. */
export class StagedDiscovery implements Discovery {
  readonly addresses: readonly string[] = [];
  readonly hosts: Host[] = [];
  advertise(): ReturnType<Discovery["advertise"]> {
    return { setPairing: () => {}, close: async () => {} };
  }
  browse(listeners: Parameters<Discovery["browse"]>[0]): { close(): void } {
    let open = true;
    queueMicrotask(() => {
      for (const host of this.hosts) if (open) listeners.onFound(host);
    });
    return {
      close: () => {
        open = false;
      },
    };
  }
  async close(): Promise<void> {}
}

/** What survives a crash of one device, and the device that runs on it now. */
export class Machine<Device extends Server | Client> {
  readonly disk: MemoryBondStore;
  readonly discovery: StagedDiscovery = new StagedDiscovery();
  store: SlowStore;
  device: Device;
  readonly #world: BondWorld;
  readonly #address: Address;
  readonly #make: (ports: DevicePorts) => Device;
  #unplug: () => void = () => {};

  constructor(world: BondWorld, address: Address, make: (ports: DevicePorts) => Device, disk?: MemoryBondStore) {
    this.#world = world;
    this.#address = address;
    this.#make = make;
    this.disk = disk ?? new MemoryBondStore(world.random.bytes);
    [this.store, this.device] = this.#start();
  }

  /** kill -9, and a new start. */
  async crash(): Promise<void> {
    await this.stop();
    [this.store, this.device] = this.#start();
  }

  async stop(): Promise<void> {
    this.#unplug();
    await this.store.crash(this.#world.random.chance(0.5));
  }

  #start(): [SlowStore, Device] {
    const { clock, random, network } = this.#world;
    const store = new SlowStore(this.disk, clock, () => this.#world.diskMs * random.number());
    const inner = network.socket(this.#address);
    let plugged = true;
    const socket: DatagramSocket = {
      ...inner,
      send: (bytes, to) => {
        if (plugged) inner.send(bytes, to);
      },
    };
    this.#unplug = () => {
      plugged = false;
      inner.onDatagram(() => {});
    };
    const ports = { clock, crypto: nativeCrypto, random: random.bytes, socket, store, discovery: this.discovery };
    return [store, this.#make(ports)];
  }
}

/** A PC and a phone, whole devices, on the simulated network. */
export class BondWorld {
  readonly clock: VirtualClock = new VirtualClock();
  readonly random: SeededRandom;
  readonly network: SimulatedNetwork;
  readonly pc: Machine<Server>;
  readonly phone: Machine<Client>;
  /** What the PC's screen showed. */
  readonly pcErrors: HandfastError[] = [];
  /** Writes take up to so long. */
  diskMs = 0;

  constructor(seed: number, link: Link = GOOD_LINK) {
    this.random = new SeededRandom(seed + 4242);
    this.network = new SimulatedNetwork(this.clock, seed, link);
    this.pc = new Machine(this, PC, (ports) => {
      const server = new Server(ports, { name: "Ana's PC", platform: "test", service: "handfast" });
      server.on("error", (error) => this.pcErrors.push(error));
      server.on("pairing", (request) => this.clock.schedule(1, () => request.confirm()));
      return server;
    });
    this.phone = this.device(PHONE);
  }

  /** One more client, on a disk of its own or on a copy. */
  device(address: Address, disk?: MemoryBondStore): Machine<Client> {
    const options = { name: "Ana's phone", platform: "test", service: "handfast" };
    return new Machine(this, address, (ports) => new Client(ports, options), disk);
  }

  /** The two have paired before. */
  async bonded(changes: Partial<Bond> = {}): Promise<Bond> {
    const keyOf = (store: BondStore): Uint8Array =>
      nativeCrypto.x25519KeyPair(store.identity().staticSecret.reveal()).public;
    const shared = {
      ...{ id: toHex(this.random.bytes(16)), secret: new Secret(this.random.bytes(32)), platform: "test", scopes: [] },
      ...{ state: "confirmed" as const, generation: 0, postQuantum: "none" as const },
      ...{ createdAt: Math.trunc(this.clock.wall()), lastSeenAt: 1 },
      ...changes,
    };
    const irkOf = (store: BondStore): Secret => store.identity().irk;
    await this.pc.disk.put({
      ...{ ...shared, name: "Ana's phone", addresses: [PHONE] },
      ...{ peerStatic: keyOf(this.phone.disk), irk: irkOf(this.phone.disk) },
    });
    const bond = {
      ...{ ...shared, name: "Ana's PC", addresses: [PC] },
      ...{ peerStatic: keyOf(this.pc.disk), irk: irkOf(this.pc.disk) },
    };
    await this.phone.disk.put(bond);
    return bond;
  }

  async until<T>(promise: Promise<T>, limitMs = 200_000): Promise<T> {
    let done = false;
    const watched = promise.finally(() => {
      done = true;
    });
    watched.catch(() => {});
    if (!(await this.clock.runUntilAsync(() => done, limitMs))) throw new Error(`nothing happened for ${limitMs} ms`);
    return watched;
  }

  async pass(ms: number): Promise<void> {
    await this.clock.runUntilAsync(() => false, ms);
  }
}

/** A copy of the disk, as a thief or a backup makes it. */
export async function copyOf(disk: MemoryBondStore): Promise<MemoryBondStore> {
  const copy = new CopiedStore(disk.identity());
  for (const bond of disk.bonds()) await copy.put(bond);
  return copy;
}

class CopiedStore extends MemoryBondStore {
  readonly #identity: DeviceIdentity;
  constructor(identity: DeviceIdentity) {
    super((length) => new Uint8Array(length));
    this.#identity = identity;
  }
  override identity(): DeviceIdentity {
    return this.#identity;
  }
}

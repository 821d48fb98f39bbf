import type { Bond } from "#bonds/bond.js";
import { MemoryBondStore } from "#bonds/memoryStore.js";
import type { BondStore } from "#bonds/store.js";
import type { Crypto } from "#crypto/crypto.js";
import { nativeCrypto } from "#crypto/native.node.js";
import type { PeerSession } from "#device/channel.js";
import { Client } from "#device/client.js";
import type { Discovery } from "#device/discoveryPort.js";
import { Server } from "#device/server.js";
import type { Address } from "#kernel/ports.js";
import { SimulatedNetwork } from "../simulation/network.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { VirtualClock } from "../simulation/virtualClock.js";
import { Attacker } from "./attacker.js";

export const PC: Address = { host: "10.0.0.1", port: 4760 };
export const PHONE: Address = { host: "10.0.0.2", port: 50_000 };

const NOBODY: Discovery = {
  advertise: () => ({ setPairing: () => {}, close: async () => {} }),
  browse: () => ({ close: () => {} }),
  addresses: [],
  close: async () => {},
};

export interface DeviceStageOptions {
  readonly seed: number;
  readonly crypto?: Crypto;
  readonly pcStore?: BondStore;
  readonly phoneStore?: BondStore;
  /** What the PC's person says; the phone's always says yes. */
  readonly pcSays?: boolean;
}

/** Two whole devices, as a user starts them, on the simulated network, and somebody who has the wire. */
export class DeviceStage {
  readonly clock: VirtualClock = new VirtualClock();
  readonly network: SimulatedNetwork;
  readonly wire: Attacker;
  readonly random: SeededRandom;
  readonly pcStore: BondStore;
  readonly phoneStore: BondStore;
  readonly server: Server;
  client: Client;
  /** Sessions that the PC handed to its application. */
  readonly accepted: PeerSession[] = [];
  readonly #crypto: Crypto;

  constructor(options: DeviceStageOptions) {
    this.#crypto = options.crypto ?? nativeCrypto;
    this.network = new SimulatedNetwork(this.clock, options.seed);
    this.wire = new Attacker(this.network);
    this.random = new SeededRandom(options.seed + 31);
    this.pcStore = options.pcStore ?? new MemoryBondStore(this.random.bytes);
    this.phoneStore = options.phoneStore ?? new MemoryBondStore(this.random.bytes);
    const ports = this.#ports(this.pcStore, PC);
    this.server = new Server(ports, { name: "Ana's PC", platform: "test", service: "handfast" });
    this.server.on("session", (peer) => this.accepted.push(peer));
    this.server.on("pairing", (request) => {
      if (options.pcSays === false) request.reject();
      else request.confirm();
    });
    this.client = this.phone(this.phoneStore, PHONE);
  }

  /** A client device with this store at this address. */
  phone(store: BondStore, at: Address): Client {
    return new Client(this.#ports(store, at), { name: "Ana's phone", platform: "test", service: "handfast" });
  }

  /** Opens the PC's window and pairs. Resolves to the error's code, or "paired". */
  async pair(client: Client = this.client): Promise<string> {
    this.server.openPairing();
    const target = { name: undefined, addresses: [PC] };
    return await this.#end(client.pair(target, { compare: async () => true }), "paired");
  }

  /** Connects with the newest bond. Resolves to the error's code, or "connected". */
  async connect(client: Client = this.client, bond?: Bond): Promise<string> {
    const used = bond ?? (await client.bonds())[0];
    if (!used) return "no bond";
    return await this.#end(client.connect(used, { timeoutMs: 5000 }), "connected");
  }

  async wait(ms: number): Promise<void> {
    await this.clock.runUntilAsync(() => false, ms);
  }

  async #end(work: Promise<unknown>, good: string): Promise<string> {
    let end: string | undefined;
    work.then(
      () => {
        end = good;
      },
      (error: { code?: string }) => {
        end = error.code ?? String(error);
      },
    );
    await this.clock.runUntilAsync(() => end !== undefined, 200_000);
    await this.wait(100);
    return end ?? "nothing happened";
  }

  #ports(store: BondStore, at: Address): ConstructorParameters<typeof Client>[0] {
    const { clock } = this;
    const raw = this.network.socket(at);
    const socket = { ...raw, close: async () => {} };
    return { clock, random: this.random.bytes, crypto: this.#crypto, socket, store, discovery: NOBODY };
  }
}

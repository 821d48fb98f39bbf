import assert from "node:assert/strict";
import type { Bond } from "#bonds/bond.js";
import { MemoryBondStore } from "#bonds/memoryStore.js";
import { nativeCrypto } from "#crypto/native.node.js";
import type { PeerSession } from "#device/channel.js";
import { Client } from "#device/client.js";
import type { DevicePorts } from "#device/devicePorts.js";
import type { Discovery, Host } from "#device/discoveryPort.js";
import { Server } from "#device/server.js";
import { makeTag } from "#discovery/tag.js";
import type { Address } from "#kernel/ports.js";
import type { HostChange } from "#pairing/responderEvents.js";
import { SimulatedNetwork } from "../simulation/network.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { VirtualClock } from "../simulation/virtualClock.js";

export const PC: Address = { host: "10.0.0.1", port: 4760 };
export const LAPTOP: Address = { host: "10.0.0.2", port: 50_000 };

/** A PC and a laptop with everything but real sockets and disks; what they announce is heard at once. */
export class DeviceWorld {
  readonly clock: VirtualClock = new VirtualClock();
  readonly network: SimulatedNetwork;
  readonly pcStore: MemoryBondStore;
  readonly client: Client;
  pc: Server;
  /** Sessions as the PC got them. */
  readonly sessions: PeerSession[] = [];
  /** The laptop's system says that its network is another. */
  changeNetwork: () => void = () => {};
  /** The PC's system says the same, or that it has slept. */
  changePc: (change: HostChange) => void = () => {};
  readonly #random: SeededRandom;
  readonly #listeners = new Set<(host: Host) => void>();

  constructor(seed: number) {
    this.network = new SimulatedNetwork(this.clock, seed);
    this.#random = new SeededRandom(seed);
    this.pcStore = new MemoryBondStore(this.#random.bytes);
    this.pc = this.startPc(PC);
    const ports = this.#ports(LAPTOP, new MemoryBondStore(this.#random.bytes));
    this.client = new Client(ports, { name: "Laptop", platform: "test", service: "test" });
  }

  /** The PC as after a restart, at this address. The one before hears and says nothing any more. */
  startPc(at: Address): Server {
    const pc = new Server(this.#ports(at, this.pcStore), { name: "PC", platform: "test", service: "test" });
    pc.on("pairing", (request) => request.confirm());
    pc.on("session", (peer) => {
      this.sessions.push(peer);
    });
    this.pc = pc;
    return pc;
  }

  /** Both people say yes. */
  async pair(): Promise<Bond> {
    this.pc.openPairing();
    const pairing = this.client.pair({ name: "PC", addresses: [PC] }, { compare: async () => true });
    return (await this.settled(pairing)).bond;
  }

  /** Runs the clock until the promise is settled. */
  async settled<Value>(promise: Promise<Value>, limitMs = 120_000): Promise<Value> {
    let done = false;
    const finish = (): void => {
      done = true;
    };
    promise.then(finish, finish);
    assert.ok(await this.clock.runUntilAsync(() => done, limitMs), "it took too long");
    return await promise;
  }

  /** What an announcement of the PC at these addresses brings: heard by everybody who browses now. */
  announce(addresses: readonly string[], port: number): void {
    const tag = makeTag(nativeCrypto, this.pcStore.identity().irk.reveal(), this.#random.bytes);
    for (const listener of this.#listeners)
      listener({ instance: "pc", port, addresses, name: undefined, pairing: false, tag });
  }

  /** Nothing to or from this address travels any more. */
  silence(gone: Address): void {
    const is = (a: Address): boolean => a.host === gone.host && a.port === gone.port;
    this.network.tap = (bytes, from, to) => (is(from) || is(to) ? [] : [bytes]);
  }

  #ports(at: Address, store: MemoryBondStore): DevicePorts {
    const discovery: Discovery = {
      addresses: [at.host],
      advertise: () => ({ setPairing: () => {}, close: async () => {} }),
      browse: ({ onFound }) => {
        this.#listeners.add(onFound);
        return { close: () => this.#listeners.delete(onFound) };
      },
      close: async () => {},
    };
    const { clock } = this;
    return {
      ...{ clock, store, discovery, crypto: nativeCrypto, random: this.#random.bytes },
      socket: this.network.socket(at),
      watchHost: (listener, after) => {
        const change = (what: HostChange): void => {
          if (what === "slept") listener.resume(clock.now(), 3_600_000);
          else listener.networkChanged(clock.now());
          after();
        };
        if (at.host === LAPTOP.host) this.changeNetwork = () => change("networkChanged");
        else this.changePc = change;
        return () => {};
      },
    };
  }
}

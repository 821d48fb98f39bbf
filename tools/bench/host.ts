import { createHash } from "node:crypto";
import type { Crypto, KeyPair } from "#crypto/crypto.js";
import { fastestCrypto } from "#crypto/fastest.node.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { nobleCrypto } from "#crypto/noble.js";
import { toHex } from "#kernel/bytes.js";
import type { Address, DatagramSocket } from "#kernel/ports.js";
import { Pump } from "#kernel/pump.js";
import { systemClock, systemRandom } from "#transport/clock.node.js";
import type { Connection } from "#transport/connection.js";
import { type ControllerName, DEFAULT_CONTROLLER } from "#transport/controllers.js";
import { Endpoint } from "#transport/endpoint.js";
import { DEFAULT_PARAMETERS } from "#transport/params.js";
import { Session } from "#transport/session.js";
import { bindUdp } from "#transport/udp.node.js";
import type { Work } from "./peer.js";

export const SERVER = "server";
const BACK_ENDS: Readonly<Record<string, Crypto>> = {
  fastest: fastestCrypto,
  node: nativeCrypto,
  noble: nobleCrypto,
};

/** What a device is on the network, without pairing, discovery and files. */
export class Host {
  onSession: (session: Session) => void = () => {};
  /** Datagrams that came and went. */
  packets = 0;
  readonly #endpoint: Endpoint;
  readonly #pump: Pump;
  readonly #socket: DatagramSocket;
  readonly #crypto: Crypto;
  /** What a real device has read from its disk long ago. */
  readonly #psk = testSecret("bond");
  readonly #serverStatic: Uint8Array;
  readonly #sessions = new Map<Connection, Session>();

  static async open(work: Work, name: string, host: string, port: number): Promise<Host> {
    const crypto = BACK_ENDS[String(work.settings["crypto"] ?? "fastest")] ?? fastestCrypto;
    return new Host(await bindUdp({ host, port }), crypto, name, work);
  }

  private constructor(socket: DatagramSocket, crypto: Crypto, name: string, work: Work) {
    const clients = name === SERVER ? clientsOf(crypto, work) : new Set<string>();
    const datagram = Number(work.settings["datagram"] ?? 1452);
    this.#socket = socket;
    this.#crypto = crypto;
    this.#serverStatic = testIdentity(crypto, SERVER).public;
    this.#endpoint = new Endpoint({
      crypto,
      random: systemRandom,
      identity: testIdentity(crypto, name),
      accept: name === SERVER,
      lookup: (key) => (clients.has(toHex(key)) ? { psk: this.#psk, id: toHex(key) } : undefined),
      resetKey: testSecret("reset"),
      now: systemClock.now(),
      maxDatagram: () => datagram,
      parameters: { ...DEFAULT_PARAMETERS, maxStreamsBidi: Number(work.settings["streams"] ?? 128) },
      congestion: String(work.settings["congestion"] ?? DEFAULT_CONTROLLER) as ControllerName,
    });
    const outlet = {
      get congested() {
        return socket.congested === true;
      },
      send: (bytes: Uint8Array, to: Address) => {
        this.packets++;
        socket.send(bytes, to);
      },
    };
    this.#pump = new Pump(this.#endpoint, outlet, systemClock, () => this.#progress());
    socket.onDatagram((bytes, from) => {
      this.packets++;
      this.#pump.receive(bytes, from);
    });
  }

  get port(): number {
    return this.#socket.port;
  }

  connect(work: Work): Promise<Session> {
    const session = new Promise<Session>((resolve) => {
      this.onSession = resolve;
    });
    const to = [{ host: work.host, port: work.port }];
    const peer = { peerStatic: this.#serverStatic, psk: this.#psk, id: SERVER };
    this.#endpoint.connect({ to, ...peer }, systemClock.now());
    this.#pump.turn();
    return session;
  }

  async close(): Promise<void> {
    for (const session of this.#sessions.values()) void session.close();
    await Promise.resolve();
    this.#pump.turn();
    this.#pump.stop();
    await this.#socket.close();
  }

  #progress(): void {
    for (let event = this.#endpoint.nextEvent(); event; event = this.#endpoint.nextEvent()) {
      if (event.type !== "connected")
        throw event.type === "failed" ? event.error : new Error("the bench bond was copied");
      const { connection, exporter, peerId } = event;
      const turn = (): void => this.#pump.soon();
      const session = new Session({ connection, clock: systemClock, crypto: this.#crypto, exporter, peerId, turn });
      this.#sessions.set(connection, session);
      this.onSession(session);
    }
    for (let changed = this.#endpoint.nextChanged(); changed; changed = this.#endpoint.nextChanged()) {
      const session = this.#sessions.get(changed);
      session?.progress();
      if (session?.closeInfo) this.#sessions.delete(changed);
    }
  }
}

export function testSecret(label: string): Uint8Array {
  return new Uint8Array(createHash("sha256").update(`bench ${label}`).digest());
}

export function testIdentity(crypto: Crypto, name: string): KeyPair {
  return crypto.x25519KeyPair(testSecret(name));
}

function clientsOf(crypto: Crypto, work: Work): ReadonlySet<string> {
  const clients = new Set<string>();
  for (let i = 0; i < Math.max(1, work.times); i++) clients.add(toHex(testIdentity(crypto, `client ${i}`).public));
  return clients;
}

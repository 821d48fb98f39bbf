import { createHash, randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import type { Crypto, KeyPair } from "#crypto/crypto.js";
import { fastestCrypto } from "#crypto/fastest.node.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { nobleCrypto } from "#crypto/noble.js";
import { toHex } from "#kernel/bytes.js";
import type { DatagramSocket } from "#kernel/ports.js";
import { Pump } from "#kernel/pump.js";
import { systemClock, systemRandom } from "#transport/clock.node.js";
import type { Connection } from "#transport/connection.js";
import { type ControllerName, DEFAULT_CONTROLLER } from "#transport/controllers.js";
import { Endpoint } from "#transport/endpoint.js";
import { Session } from "#transport/session.js";
import type { SessionStream } from "#transport/sessionStream.js";
import { bindUdp } from "#transport/udp.node.js";
import { median } from "./figures.js";
import { type Measured, PAUSE_MS, type Peer, pieces, RANDOM_BYTES, type Work } from "./peer.js";

const SERVER = "server";
const BACK_ENDS: Readonly<Record<string, Crypto>> = {
  fastest: fastestCrypto,
  node: nativeCrypto,
  noble: nobleCrypto,
};

/** The channel on real sockets, between two devices whose bond is fixed: `datagram` (bytes), `crypto` ("node", "noble"). */
export const handfastPeer: Peer = {
  async serve(work) {
    const host = await Host.open(work, SERVER, work.host, work.port);
    host.onSession = (session) => void serveSession(session, work).catch(() => {});
    return host.port;
  },
  async run(work) {
    return work.kind === "bulk" ? await bulk(work) : await echo(work);
  },
};

async function serveSession(session: Session, work: Work): Promise<void> {
  for await (const stream of session.incomingStreams()) void serveStream(stream, work).catch(() => {});
}

async function serveStream(stream: SessionStream, work: Work): Promise<void> {
  let received = 0;
  for (let bytes = await stream.read(); bytes; bytes = await stream.read()) {
    received += bytes.length;
    if (work.kind === "echo") await stream.write(bytes);
  }
  if (work.kind === "bulk" && received === work.bytes) await stream.write(Uint8Array.of(1));
  await stream.end();
}

async function bulk(work: Work): Promise<Measured> {
  const random = new Uint8Array(randomBytes(RANDOM_BYTES));
  const host = await Host.open(work, "client 0", work.from, 0);
  const began = performance.now();
  const session = await host.connect(work);
  const stream = await session.openStream();
  const connectMs = performance.now() - began;
  for (const piece of pieces(random, work.bytes)) await stream.write(piece);
  await stream.end();
  const answer = await stream.read();
  const seconds = (performance.now() - began) / 1000;
  if (answer?.[0] !== 1) throw new Error("the server did not get every byte");
  const { packetsSent, packetsLost, spuriousLosses, packetsReceived, packetSize, rttMs, window } = session.stats();
  await host.close();
  return { seconds, connectMs, packetsSent, packetsLost, spuriousLosses, packetsReceived, packetSize, rttMs, window };
}

async function echo(work: Work): Promise<Measured> {
  const times: number[] = [];
  for (let i = 0; i < work.times; i++) {
    // Another device each time: a server takes one dial a second from a device, and twenty from an address.
    await delay(PAUSE_MS);
    const host = await Host.open(work, `client ${i}`, work.from, 0);
    const began = performance.now();
    const session = await host.connect(work);
    const stream = await session.openStream();
    await stream.write(Uint8Array.of(1));
    await stream.read();
    times.push(performance.now() - began);
    await host.close();
  }
  return { connectMs: median(times) };
}

/** What a device is on the network, without pairing, discovery and files. */
class Host {
  onSession: (session: Session) => void = () => {};
  readonly #endpoint: Endpoint;
  readonly #pump: Pump;
  readonly #socket: DatagramSocket;
  readonly #crypto: Crypto;
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
    this.#endpoint = new Endpoint({
      ...{ crypto, random: systemRandom, identity: testIdentity(crypto, name), accept: name === SERVER },
      lookup: (key) => (clients.has(toHex(key)) ? { psk: testSecret("bond"), id: toHex(key) } : undefined),
      resetKey: testSecret("reset"),
      now: systemClock.now(),
      maxDatagram: () => datagram,
      congestion: String(work.settings["congestion"] ?? DEFAULT_CONTROLLER) as ControllerName,
    });
    this.#pump = new Pump(this.#endpoint, socket, systemClock, () => this.#progress());
    socket.onDatagram((bytes, from) => this.#pump.receive(bytes, from));
  }

  get port(): number {
    return this.#socket.port;
  }

  connect(work: Work): Promise<Session> {
    const session = new Promise<Session>((resolve) => {
      this.onSession = resolve;
    });
    const to = [{ host: work.host, port: work.port }];
    const peerStatic = testIdentity(this.#crypto, SERVER).public;
    this.#endpoint.connect({ to, peerStatic, psk: testSecret("bond"), id: SERVER }, systemClock.now());
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

function testSecret(label: string): Uint8Array {
  return new Uint8Array(createHash("sha256").update(`bench ${label}`).digest());
}

function testIdentity(crypto: Crypto, name: string): KeyPair {
  return crypto.x25519KeyPair(testSecret(name));
}

function clientsOf(crypto: Crypto, work: Work): ReadonlySet<string> {
  const clients = new Set<string>();
  for (let i = 0; i < Math.max(1, work.times); i++) clients.add(toHex(testIdentity(crypto, `client ${i}`).public));
  return clients;
}

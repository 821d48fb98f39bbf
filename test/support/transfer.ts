import type { KeyPair } from "#crypto/crypto.js";
import { fastestCrypto } from "#crypto/fastest.node.js";
import type { Address, Clock } from "#kernel/ports.js";
import { Pump } from "#kernel/pump.js";
import type { ConnectionStats } from "#transport/connectionStats.js";
import type { ControllerName } from "#transport/controllers.js";
import { Endpoint } from "#transport/endpoint.js";
import { Session } from "#transport/session.js";
import { type Link, SimulatedNetwork } from "../simulation/network.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { VirtualClock } from "../simulation/virtualClock.js";

const SERVER: Address = { host: "10.0.0.1", port: 4760 };
const PIECE = 64 * 1024;
const LIMIT_MS = 600_000;

export interface Flow {
  readonly congestion: ControllerName;
  readonly bytes: number;
  /** Virtual milliseconds after the first flow. */
  readonly startMs?: number;
}

export interface FlowResult {
  /** From the dial to the last byte read. */
  readonly ms: number;
  readonly stats: ConnectionStats;
}

export interface TransferOptions {
  readonly seed: number;
  readonly link: Link;
  readonly flows: readonly Flow[];
  readonly maxDatagram?: number;
  /** Timers fire at multiples of this, as Node's do; 0: exactly. */
  readonly timerMs?: number;
}

/** Clients that send to one server over a simulated link, each with its own congestion controller. */
export class SimulatedTransfer {
  readonly clock: VirtualClock = new VirtualClock();
  readonly network: SimulatedNetwork;
  readonly #options: TransferOptions;
  readonly #random: SeededRandom;
  readonly #psk: Uint8Array;
  readonly #serverKey: KeyPair;
  readonly #results: (FlowResult | undefined)[];
  readonly #received: number[];
  readonly #ids = new Map<string, number>();

  constructor(options: TransferOptions) {
    this.#options = options;
    this.network = new SimulatedNetwork(this.clock, options.seed, options.link);
    this.#random = new SeededRandom(options.seed + 77);
    this.#psk = this.#random.bytes(32);
    this.#serverKey = fastestCrypto.x25519KeyPair(this.#random.bytes(32));
    this.#results = options.flows.map(() => undefined);
    this.#received = options.flows.map(() => 0);
  }

  /** Bytes that each flow has brought so far. */
  get received(): readonly number[] {
    return this.#received;
  }

  /** Until every flow has brought its bytes. */
  async run(): Promise<readonly FlowResult[]> {
    this.#begin();
    const done = (): boolean => this.#results.every((result) => result);
    if (!(await this.clock.runUntilAsync(done, LIMIT_MS))) throw new Error("the transfer did not end");
    return this.#results.filter((result) => result !== undefined);
  }

  /** What each flow brought between two moments, as shares of all. */
  async shares(fromMs: number, toMs: number): Promise<readonly number[]> {
    this.#begin();
    await this.clock.runUntilAsync(() => this.clock.now() >= fromMs, LIMIT_MS);
    const before = [...this.#received];
    await this.clock.runUntilAsync(() => this.clock.now() >= toMs, LIMIT_MS);
    const brought = this.#received.map((bytes, index) => bytes - (before[index] ?? 0));
    const all = brought.reduce((sum, bytes) => sum + bytes, 0);
    return brought.map((bytes) => bytes / all);
  }

  #begin(): void {
    this.#serve();
    for (const [index, flow] of this.#options.flows.entries())
      this.clock.schedule(flow.startMs ?? 0, () => this.#start(index, flow));
  }

  #serve(): void {
    this.#end({
      address: SERVER,
      identity: this.#serverKey,
      congestion: "newreno",
      accept: true,
      onSession: (session) => void this.#drain(session),
    });
  }

  async #drain(session: Session): Promise<void> {
    const index = Number(session.peerId);
    for await (const stream of session.incomingStreams()) {
      for (let bytes = await stream.read(); bytes; bytes = await stream.read())
        this.#received[index] = (this.#received[index] ?? 0) + bytes.length;
      await stream.write(Uint8Array.of(1));
      await stream.end();
    }
  }

  #start(index: number, flow: Flow): void {
    const identity = fastestCrypto.x25519KeyPair(this.#random.bytes(32));
    this.#ids.set(Buffer.from(identity.public).toString("hex"), index);
    const began = this.clock.now();
    const { endpoint, pump } = this.#end({
      address: { host: `10.0.1.${index + 1}`, port: 50_000 },
      identity,
      congestion: flow.congestion,
      accept: false,
      onSession: (session) =>
        void this.#send(session, flow.bytes).then(() => {
          this.#results[index] = { ms: this.clock.now() - began, stats: session.stats() };
        }),
    });
    const peerStatic = this.#serverKey.public;
    endpoint.connect({ to: [SERVER], peerStatic, psk: this.#psk, id: "server" }, this.clock.now());
    pump.turn();
  }

  async #send(session: Session, bytes: number): Promise<void> {
    const stream = await session.openStream();
    const piece = new Uint8Array(PIECE);
    for (let sent = 0; sent < bytes; sent += PIECE)
      await stream.write(piece.subarray(0, Math.min(PIECE, bytes - sent)));
    await stream.end();
    await stream.read();
  }

  #end(input: {
    readonly address: Address;
    readonly identity: KeyPair;
    readonly congestion: ControllerName;
    readonly accept: boolean;
    readonly onSession: (session: Session) => void;
  }): { endpoint: Endpoint; pump: Pump } {
    const clock = coarse(this.clock, this.#options.timerMs ?? 0);
    const { address, identity, congestion, accept, onSession } = input;
    const endpoint = new Endpoint({
      ...{ crypto: fastestCrypto, random: this.#random.bytes, identity, congestion, accept, now: clock.now() },
      resetKey: this.#psk,
      maxDatagram: () => this.#options.maxDatagram ?? 1452,
      lookup: (key) => {
        const index = this.#ids.get(Buffer.from(key).toString("hex"));
        return index === undefined ? undefined : { psk: this.#psk, id: String(index) };
      },
    });
    const sessions: Session[] = [];
    const socket = this.network.socket(address);
    const pump: Pump = new Pump(endpoint, socket, clock, () => {
      for (let event = endpoint.nextEvent(); event; event = endpoint.nextEvent()) {
        if (event.type !== "connected")
          throw event.type === "failed" ? event.error : new Error("the test bond was copied");
        const { connection, exporter, peerId } = event;
        const session = new Session({
          ...{ connection, clock, exporter, peerId, crypto: fastestCrypto },
          turn: () => pump.turn(),
        });
        sessions.push(session);
        onSession(session);
      }
      for (const session of sessions) session.progress();
    });
    socket.onDatagram((bytes, from) => pump.receive(bytes, from));
    return { endpoint, pump };
  }
}

/** The same clock with timers that fire late, at whole multiples of `timerMs`. */
function coarse(clock: VirtualClock, timerMs: number): Clock {
  if (timerMs === 0) return clock;
  return {
    now: () => clock.now(),
    wall: () => clock.wall(),
    schedule: (delayMs, callback) =>
      clock.schedule(delayMs <= 0 ? 0 : Math.ceil(delayMs / timerMs) * timerMs, callback),
  };
}

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { KeyPair } from "#crypto/crypto.js";
import { fastestCrypto } from "#crypto/fastest.node.js";
import { toHex } from "#kernel/bytes.js";
import type { Address, Clock } from "#kernel/ports.js";
import { systemRandom } from "#transport/clock.node.js";
import type { Connection } from "#transport/connection.js";
import { Endpoint } from "#transport/endpoint.js";
import { DEFAULT_PARAMETERS } from "#transport/params.js";
import { Session } from "#transport/session.js";

const SERVER: Address = { host: "10.0.0.1", port: 4760 };
/** Slower than the server's limit for handshakes. */
const STEP_MS = 250;
/** Longer than any ACK waits. */
const QUIET_MS = 30;
const SILENT: Clock = { now: () => 0, wall: () => 0, schedule: () => () => {} };
const NOTHING = (): void => {};

/** What a parked thing costs the process that holds it, bytes each. */
export interface IdleCost {
  /** JavaScript objects and their buffers. */
  readonly heap: number;
  /** What the operating system counts. */
  readonly resident: number;
}

/** Confirmed sessions of one server. Whoever lets go of the clients keeps the server's side alone. */
export class ParkedServer {
  readonly endpoint: Endpoint;
  readonly sessions: Session[] = [];
  readonly #identity: KeyPair;
  readonly #psk: Uint8Array;
  readonly #known = new Set<string>();
  #now = 0;

  constructor() {
    this.#identity = keyPair();
    this.#psk = systemRandom(32);
    this.endpoint = this.#end(this.#identity, true);
  }

  /** Clients that will come; their keys are no part of what a session costs. */
  invite(count: number): readonly KeyPair[] {
    const keys = Array.from({ length: count }, keyPair);
    for (const { public: key } of keys) this.#known.add(toHex(key));
    return keys;
  }

  /** One handshake, and packets until both ends are silent. */
  join(identity: KeyPair, index: number): void {
    this.#now += STEP_MS;
    const endpoint = this.#end(identity, false);
    const peerStatic = this.#identity.public;
    endpoint.connect({ to: [SERVER], peerStatic, psk: this.#psk, id: "server" }, this.#now);
    this.#exchange(endpoint, addressOf(index));
    for (let event = this.endpoint.nextEvent(); event; event = this.endpoint.nextEvent())
      if (event.type === "connected") this.#hold(event);
    while (this.endpoint.nextChanged()) {}
    if (endpoint.nextEvent()?.type !== "connected") throw new Error("a client did not get a session");
  }

  #hold({ connection, exporter, peerId }: { connection: Connection; exporter: Uint8Array; peerId: string }): void {
    const session = new Session({
      connection,
      exporter,
      peerId,
      crypto: fastestCrypto,
      clock: SILENT,
      turn: NOTHING,
    });
    session.progress();
    this.sessions.push(session);
  }

  #exchange(client: Endpoint, from: Address): void {
    for (let quiet = 0; quiet < 2; quiet++) {
      const up = drain(client, this.#now);
      for (const bytes of up) this.endpoint.receive(bytes, from, this.#now);
      const down = drain(this.endpoint, this.#now);
      for (const bytes of down) client.receive(bytes, SERVER, this.#now);
      if (up.length + down.length > 0) quiet = -1;
      this.#now += quiet < 0 ? 1 : QUIET_MS;
    }
  }

  #end(identity: KeyPair, accept: boolean): Endpoint {
    return new Endpoint({
      ...{ crypto: fastestCrypto, random: systemRandom, identity, accept, now: this.#now },
      // For ever, and without the rekeying that hours of virtual time would bring.
      parameters: { ...DEFAULT_PARAMETERS, idleMs: 0 },
      rekeyLimits: NEVER,
      resetKey: this.#psk,
      lookup: (key) => {
        const id = toHex(key);
        return this.#known.has(id) ? { psk: this.#psk, id } : undefined;
      },
    });
  }
}

const NEVER = {
  softAgeMs: Number.POSITIVE_INFINITY,
  softBytes: Number.POSITIVE_INFINITY,
  softPackets: Number.POSITIVE_INFINITY,
  softForged: Number.POSITIVE_INFINITY,
  hardAgeMs: Number.POSITIVE_INFINITY,
  hardBytes: Number.POSITIVE_INFINITY,
  hardPackets: Number.POSITIVE_INFINITY,
  hardForged: Number.POSITIVE_INFINITY,
};

/** `count` sessions that have nothing to say. */
export function parkSessions(count: number): { readonly cost: IdleCost; readonly server: ParkedServer } {
  const server = new ParkedServer();
  const [first, ...keys] = server.invite(count + 1);
  if (first) server.join(first, 0);
  const before = memory();
  for (const [i, key] of keys.entries()) server.join(key, i + 1);
  const after = memory();
  const each = (name: keyof IdleCost): number => (after[name] - before[name]) / count;
  return { server, cost: { heap: each("heap"), resident: each("resident") } };
}

/** After the garbage is gone. */
export function memory(): IdleCost {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let i = 0; i < 3; i++) collect();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, resident: rss };
}

function drain(source: Endpoint, now: number): Uint8Array[] {
  const datagrams: Uint8Array[] = [];
  if (now >= (source.deadline ?? Number.POSITIVE_INFINITY)) source.tick(now);
  for (let out = source.nextDatagram(now); out; out = source.nextDatagram(now)) datagrams.push(out.bytes.slice());
  return datagrams;
}

function keyPair(): KeyPair {
  return fastestCrypto.x25519KeyPair(systemRandom(32));
}

/** One address for each: a source may open only so many a second. */
function addressOf(index: number): Address {
  return { host: `10.${1 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`, port: 50_000 };
}

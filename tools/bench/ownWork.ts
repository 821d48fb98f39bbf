import { randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import type { Crypto } from "#crypto/crypto.js";
import { fastestCrypto } from "#crypto/fastest.node.js";
import type { Address, OutgoingDatagram } from "#kernel/ports.js";
import { systemClock, systemRandom } from "#transport/clock.node.js";
import { Endpoint } from "#transport/endpoint.js";
import { Session } from "#transport/session.js";
import type { SessionStream } from "#transport/sessionStream.js";
import { median } from "./figures.js";
import { SERVER, testIdentity, testSecret } from "./host.js";
import { pieces, RANDOM_BYTES } from "./peer.js";

const MIB = 1024 * 1024;
const TAG = 16;
/** As many as a socket hands over, or takes, before the other end has its turn. */
const BATCH = 32;

/** Microseconds of one end for each packet that carried data, as medians. */
export interface OwnWork {
  readonly sender: number;
  readonly receiver: number;
  readonly packets: number;
}

/** What the channel itself costs: two ends in one process without sockets, their AEAD and header mask left out. */
export async function measureOwnWork(rounds: number, mib: number, datagram = 1452): Promise<OwnWork> {
  const [client, server] = await connected(datagram);
  const results: { sender: number; receiver: number; packets: number }[] = [];
  // The first rounds only warm up.
  for (let round = -2; round < rounds; round++) {
    const result = await transfer(client, server, mib * MIB);
    if (round >= 0) results.push(result);
  }
  return {
    sender: median(results.map(({ sender }) => sender)),
    receiver: median(results.map(({ receiver }) => receiver)),
    packets: median(results.map(({ packets }) => packets)),
  };
}

async function transfer(from: End, to: End, bytes: number): Promise<OwnWork> {
  const stream = await from.session.openStream();
  const source = pieces(new Uint8Array(randomBytes(RANDOM_BYTES)), bytes);
  const before = from.session.stats().packetsSent;
  from.spentMs = 0;
  to.spentMs = 0;
  let piece: Uint8Array | undefined = source.next().value ?? undefined;
  let ended = false;
  let incoming: SessionStream | undefined;
  let received = 0;
  from.onTurn = () => {
    while (piece && stream.tryWrite(piece)) piece = source.next().value ?? undefined;
    if (!piece && !ended) {
      ended = true;
      void stream.end();
    }
  };
  void next(to.session).then((opened) => {
    incoming = opened;
  });
  to.onTurn = () => {
    for (let read = incoming?.tryRead(); read; read = incoming?.tryRead()) received += read.length;
  };
  while (received < bytes) {
    exchange(from, to);
    // Promises of the session have their turn: the stream that was opened, the end that was sent.
    await Promise.resolve();
  }
  const packets = from.session.stats().packetsSent - before;
  return { sender: (from.spentMs / packets) * 1000, receiver: (to.spentMs / packets) * 1000, packets };
}

function exchange(a: End, b: End): void {
  for (const datagram of a.turn(a.taken())) b.mailbox.push(datagram);
  for (const datagram of b.turn(b.taken())) a.mailbox.push(datagram);
}

async function connected(datagram: number): Promise<readonly [End, End]> {
  const client = new End("client", datagram, { host: "client", port: 1 });
  const server = new End(SERVER, datagram, { host: "server", port: 2 });
  client.dial(server);
  while (!client.opened || !server.opened) {
    exchange(client, server);
    await Promise.resolve();
  }
  return [client, server];
}

async function next(session: Session): Promise<SessionStream | undefined> {
  for await (const stream of session.incomingStreams()) return stream;
  return undefined;
}

/** One end, and how long it was at work. Turns are taken by hand: no event loop, no socket. */
class End {
  onTurn: () => void = () => {};
  spentMs = 0;
  mailbox: OutgoingDatagram[] = [];
  opened: Session | undefined;
  readonly #endpoint: Endpoint;
  readonly #address: Address;
  readonly #name: string;

  constructor(name: string, datagram: number, address: Address) {
    this.#name = name;
    this.#address = address;
    this.#endpoint = new Endpoint({
      ...{
        crypto: withoutAead,
        random: systemRandom,
        identity: testIdentity(fastestCrypto, name),
        accept: name === SERVER,
      },
      lookup: () => ({ psk: testSecret("bond"), id: "client" }),
      resetKey: testSecret("reset"),
      now: systemClock.now(),
      maxDatagram: () => datagram,
    });
  }

  get session(): Session {
    if (!this.opened) throw new Error("not connected yet");
    return this.opened;
  }

  dial(other: End): void {
    const to = [other.#address];
    const peerStatic = testIdentity(fastestCrypto, other.#name).public;
    this.#endpoint.connect({ to, peerStatic, psk: testSecret("bond"), id: other.#name }, systemClock.now());
  }

  taken(): readonly OutgoingDatagram[] {
    const taken = this.mailbox;
    this.mailbox = [];
    return taken;
  }

  /** Takes what came, lets the application read and write, and gives what is to be sent. */
  turn(received: readonly OutgoingDatagram[]): readonly OutgoingDatagram[] {
    const sent: OutgoingDatagram[] = [];
    const now = systemClock.now();
    const began = performance.now();
    for (const { bytes, to } of received) this.#endpoint.receive(bytes, to, now);
    if (now >= (this.#endpoint.deadline ?? Number.POSITIVE_INFINITY)) this.#endpoint.tick(now);
    this.#progress();
    this.onTurn();
    while (sent.length < BATCH) {
      const datagram = this.#endpoint.nextDatagram(now);
      if (!datagram) break;
      sent.push(datagram);
    }
    this.#progress();
    // A turn in which nothing came and nothing left is waiting, not work.
    if (received.length > 0 || sent.length > 0) this.spentMs += performance.now() - began;
    return sent.map(({ bytes }) => ({ bytes: bytes.slice(), to: this.#address }));
  }

  #progress(): void {
    for (let event = this.#endpoint.nextEvent(); event; event = this.#endpoint.nextEvent()) {
      if (event.type === "failed") throw event.error;
      if (event.type !== "connected") throw new Error("the bench bond was copied");
      const { connection, exporter, peerId } = event;
      this.opened = new Session({
        connection,
        clock: systemClock,
        crypto: withoutAead,
        exporter,
        peerId,
        turn: () => {},
      });
    }
    while (this.#endpoint.nextChanged()) this.opened?.progress();
  }
}

/** Everything as it is, but packets are neither encrypted nor masked, and every one counts as authentic. */
const withoutAead: Crypto = {
  ...fastestCrypto,
  aead: () => NO_AEAD,
  headerMask: () => (_bytes, mask) => void mask.fill(0),
};

const NO_AEAD: ReturnType<Crypto["aead"]> = {
  seal(_nonce, _aad, plaintext, out, outOffset) {
    if (plaintext.buffer !== out.buffer || plaintext.byteOffset !== out.byteOffset + outOffset)
      out.set(plaintext, outOffset);
  },
  open: (_nonce, _aad, ciphertext, out) => out ?? ciphertext.subarray(0, ciphertext.length - TAG),
};

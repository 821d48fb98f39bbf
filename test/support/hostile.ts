import type { KeyPair } from "#crypto/crypto.js";
import { concat } from "#kernel/bytes.js";
import { type Address, type OutgoingDatagram, sameAddress } from "#kernel/ports.js";
import { RangeSet } from "#kernel/rangeSet.js";
import { ByteWriter } from "#kernel/varint.js";
import { Dial, padded } from "#transport/dial.js";
import { FRAME } from "#transport/frames.js";
import { trafficKeys } from "#transport/keys.js";
import { DATA_HEADER, DATA_OVERHEAD, PacketProtection } from "#transport/packet.js";
import { DEFAULT_PARAMETERS, type TransportParameters } from "#transport/params.js";
import { parseFrames } from "#transport/parseFrames.js";
import type { Session } from "#transport/session.js";
import { type ChannelWorld, CLIENT, SERVER } from "./channel.js";
import { RecordingSink, type SeenFrame } from "./frames.js";

const SMALLEST = 15;

/** A bonded client that says what it likes: real keys, no rules. It talks to the world's server without the network between. */
export class HostileClient {
  readonly seen: SeenFrame[] = [];
  /** Every datagram of the server's, whoever was to get it. */
  readonly answers: { readonly to: Address; readonly size: number }[] = [];
  readonly #world: ChannelWorld;
  readonly #protection: PacketProtection;
  /** Where its packets come from; may be another place each time. */
  from: Address;
  #number = 0;
  readonly #received = new RangeSet();
  now: number;

  constructor(
    world: ChannelWorld,
    parameters: TransportParameters = DEFAULT_PARAMETERS,
    from: Address = CLIENT,
    known: { readonly identity: KeyPair; readonly psk: Uint8Array } = { identity: world.clientKey, psk: world.psk },
  ) {
    this.#world = world;
    this.from = from;
    this.now = world.clock.now();
    const { crypto, random, serverKey } = world;
    const { identity, psk } = known;
    const scid = random.bytes(8);
    const dial = new Dial({
      ...{ crypto, random: random.bytes, own: identity, peerStatic: serverKey.public, psk, to: [SERVER] },
      ...{ scid, parameters, now: this.now },
    });
    world.server.endpoint.receive(dial.nextDatagram(this.now)?.bytes ?? new Uint8Array(), from, this.now);
    const response = world.server.endpoint.nextDatagram(this.now)?.bytes ?? new Uint8Array();
    const result = dial.receive(response, SERVER, this.now);
    if (!result || result === "cookie" || result.error) throw new Error("the hostile client was not let in");
    const keys = trafficKeys(crypto, "initiator", result.noise);
    this.#protection = new PacketProtection({ keys, remoteCid: result.remoteCid, random: random.bytes });
    this.send(Uint8Array.of(1));
  }

  /** The server's newest session. */
  get victim(): Session {
    const { session } = this.#world.server;
    if (!session) throw new Error("there is no session");
    return session;
  }

  /** The highest packet number that came from the server. */
  get largest(): number {
    return this.#received.max ?? -1;
  }

  /** The code of the CONNECTION_CLOSE that the server answered with, if it did. */
  get closedWith(): number | undefined {
    for (const frame of this.seen) if (frame.kind === "close") return frame.frame.code;
    return undefined;
  }

  /** One packet with exactly these frames (and PADDING, if it would be too small). Returns the bytes that came back. */
  send(...frames: readonly Uint8Array[]): number {
    return this.sendAs(this.#number++, ...frames);
  }

  sendAs(number: number, ...frames: readonly Uint8Array[]): number {
    this.#world.server.endpoint.receive(this.seal(number, concat(...frames)), this.from, this.now);
    return this.drain();
  }

  /** A packet that is not sent. */
  seal(number: number, payload: Uint8Array): Uint8Array {
    const whole = payload.length < SMALLEST ? padded(payload, SMALLEST) : payload;
    const out = new Uint8Array(whole.length + DATA_OVERHEAD);
    out.set(whole, DATA_HEADER);
    this.#protection.seal(out, 0, whole.length, number);
    return out;
  }

  /** Acknowledges everything, so that the server goes on talking. */
  acknowledge(): number {
    const runs = [...this.#received.descending()];
    const [newest, ...older] = runs;
    if (!newest) return 0;
    const fields = [newest.end, 0, older.length, newest.end - newest.start];
    for (const [i, run] of older.entries()) fields.push((runs[i]?.start ?? 0) - run.end - 2, run.end - run.start);
    return this.send(frame(FRAME.ACK, fields));
  }

  /** Time passes for the server. */
  wait(ms: number): number {
    this.now += ms;
    this.#world.server.endpoint.tick(this.now);
    return this.drain();
  }

  /** Takes what the server wants to send. */
  drain(): number {
    let bytes = 0;
    const { endpoint } = this.#world.server;
    for (let next = endpoint.nextDatagram(this.now); next; next = endpoint.nextDatagram(this.now)) {
      // What is for the honest client, where this one is another.
      if (sameAddress(next.to, CLIENT) && !sameAddress(this.from, CLIENT)) {
        this.#world.network.inject(next.bytes, SERVER, next.to);
        continue;
      }
      bytes += next.bytes.length;
      this.answers.push({ to: next.to, size: next.bytes.length });
      this.read(next);
    }
    // Nothing is left to send: this turn only hands the events to the sessions.
    this.#world.server.pump.turn();
    return bytes;
  }

  read(datagram: OutgoingDatagram): void {
    const opened = this.#protection.open(datagram.bytes);
    if (!opened) return;
    this.#received.add(opened.packetNumber);
    const sink = new RecordingSink();
    parseFrames(opened.payload, sink);
    this.seen.push(...sink.frames);
  }
}

/** A frame of a type and varints, with bytes after them. */
export function frame(type: number, values: readonly number[] = [], bytes: Uint8Array = new Uint8Array()): Uint8Array {
  const out = new ByteWriter(new Uint8Array(20 + 8 * values.length + bytes.length));
  out.varint(type);
  for (const value of values) out.varint(value);
  out.put(bytes);
  return out.written();
}

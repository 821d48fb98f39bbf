import type { Aead, Crypto, KeyPair } from "#crypto/crypto.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { RangeSet } from "#kernel/rangeSet.js";
import { ByteWriter } from "#kernel/varint.js";
import { Connection } from "#transport/connection.js";
import { DatagramPool } from "#transport/datagramPool.js";
import { EndpointMemory } from "#transport/endpointMemory.js";
import { transportErrorName } from "#transport/errors.js";
import { FRAME } from "#transport/frames.js";
import type { PacketKeys } from "#transport/keys.js";
import { DATA_HEADER, DATA_OVERHEAD, MIN_PACKET, PacketProtection } from "#transport/packet.js";
import { DEFAULT_PARAMETERS, type TransportParameters } from "#transport/params.js";
import { Rekey } from "#transport/rekey.js";
import { SpareCids } from "#transport/spareCids.js";
import type { Stream } from "#transport/stream.js";
import { writeAck } from "#transport/writeFrames.js";
import type { SeededRandom } from "../simulation/seededRandom.js";
import { CLIENT } from "./channel.js";

/** Seals nothing: a packet's frames lie open, its tag is zero. */
const CLEAR: Aead = {
  seal: (_nonce, _aad, plaintext, out, at) => {
    if (out.buffer !== plaintext.buffer || out.byteOffset + at !== plaintext.byteOffset) out.set(plaintext, at);
  },
  open: (_nonce, _aad, ciphertext) => ciphertext.subarray(0, ciphertext.length - 16),
};
export const CLEAR_KEYS: PacketKeys = {
  aead: CLEAR,
  iv: new Uint8Array(12),
  mask: (_bytes, mask) => mask.fill(0),
  erase: () => {},
};
const POOL = new DatagramPool();
/** The victim's static keys and the caller's. What they share besides is the caller's public key, for want of anything else. */
export const OWN: KeyPair = nativeCrypto.x25519KeyPair(new Uint8Array(32).fill(1));
export const PEER: KeyPair = nativeCrypto.x25519KeyPair(new Uint8Array(32).fill(2));
const SHARED = PEER.public;
/** More than one turn can ever have to send. */
const MOST_DATAGRAMS = 4000;

/** How packets to the victim are sealed, and its own are opened. */
export interface Wire {
  seal(number: number, frames: Uint8Array): Uint8Array;
  /** The packet's number; undefined for one that cannot be opened. */
  open(datagram: Uint8Array): number | undefined;
}

/** As long as nobody renews the keys that seal nothing. */
const CLEAR_WIRE: Wire = {
  seal: (number, frames) => {
    const datagram = new Uint8Array(Math.max(MIN_PACKET, frames.length + DATA_OVERHEAD));
    datagram[0] = 0x40;
    new DataView(datagram.buffer).setUint32(9, number);
    datagram.set(frames, DATA_HEADER);
    return datagram;
  },
  open: ({ buffer, byteOffset }) => new DataView(buffer, byteOffset).getUint32(9),
};

export interface BareOptions {
  readonly wire?: Wire;
  readonly crypto?: Crypto;
}

/**
 * One end of a connection right after the handshake, without handshake, encryption and network: a new one costs microseconds.
 * The caller is its authenticated peer and says what it likes.
 */
export class BareVictim {
  readonly connection: Connection;
  readonly streams: Stream[] = [];
  readonly memory: EndpointMemory = new EndpointMemory();
  now = 1;
  /** The highest packet number that it has used. */
  largest = -1;
  /** How it ended; "" while it lives. */
  ending = "";
  #number = 0;
  readonly #seen = new RangeSet();
  readonly #wire: Wire;

  /** `peer`: what the caller has promised in its handshake. */
  constructor(
    random: SeededRandom,
    role: "initiator" | "responder" = "responder",
    peer: TransportParameters = DEFAULT_PARAMETERS,
    { wire = CLEAR_WIRE, crypto = nativeCrypto }: BareOptions = {},
  ) {
    this.#wire = wire;
    const { bytes } = random;
    const keys = { send: CLEAR_KEYS, receive: CLEAR_KEYS };
    const protection = new PacketProtection({ keys, remoteCid: new Uint8Array(8), random: bytes });
    const rekey = new Rekey({
      ...{ crypto, random: bytes, role, own: OWN, peerStatic: PEER.public, psk: SHARED },
      ...{ handshakeHash: SHARED, exporter: SHARED.slice(), protection, now: this.now },
    });
    const cids = new SpareCids({
      ...{ localCid: new Uint8Array(8), remoteCid: new Uint8Array(8), peerLimit: 4 },
      allocate: () => ({ cid: bytes(8), token: bytes(16) }),
      release: () => {},
      onRemote: ({ cid }) => {
        protection.remoteCid = cid;
      },
    });
    this.connection = new Connection({
      ...{ role, protection, rekey, local: DEFAULT_PARAMETERS, peer },
      ...{ path: CLIENT, random: bytes, now: this.now, pool: POOL, cids },
      memory: this.memory.open(),
    });
    this.send(Uint8Array.of(FRAME.PING));
  }

  /** One packet with these frames. Returns the bytes that came back. */
  send(frames: Uint8Array, from: typeof CLIENT = CLIENT): number {
    this.connection.receive(this.#wire.seal(this.#number++, frames), from, this.now);
    return this.drain();
  }

  /** An ACK of what it has sent. */
  acknowledge(): number {
    if (this.largest < 0) return 0;
    this.#seen.keepHighest(8);
    const out = new ByteWriter(new Uint8Array(200));
    writeAck(out, this.#seen.descending(), 0);
    return this.send(out.written());
  }

  wait(ms: number): number {
    this.now += ms;
    if (this.now >= (this.connection.deadline ?? Number.POSITIVE_INFINITY)) this.connection.tick(this.now);
    return this.drain();
  }

  /** Lets it speak, and its application hear of what happened. Throws for what must never be. */
  drain(): number {
    let bytes = 0;
    let count = 0;
    for (let next = this.connection.nextDatagram(this.now); next; next = this.connection.nextDatagram(this.now)) {
      bytes += next.bytes.length;
      const number = this.#wire.open(next.bytes);
      if (number !== undefined) {
        this.#seen.add(number);
        this.largest = number;
      }
      if (++count > MOST_DATAGRAMS) throw new Error("it never stops sending");
    }
    for (let event = this.connection.nextEvent(); event; event = this.connection.nextEvent()) {
      if (event.type === "stream") this.streams.push(event.stream);
      if (event.type !== "closed") continue;
      const { error } = event.info;
      this.ending = `${error?.code} ${event.info.remote}`;
      if (error && !event.info.remote && error.code !== transportErrorName(error.transportCode))
        throw new Error(`an end without a code: ${error.message}`);
    }
    if (this.connection.deadline !== undefined && Number.isNaN(this.connection.deadline))
      throw new Error("a deadline that is no time");
    return bytes;
  }
}

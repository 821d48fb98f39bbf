import { nativeCrypto } from "#crypto/native.node.js";
import { CryptoStream } from "#transport/cryptoStream.js";
import { TransportError } from "#transport/errors.js";
import { DATA_HEADER, DATA_OVERHEAD, MIN_PACKET, PacketProtection } from "#transport/packet.js";
import { parseFrames } from "#transport/parseFrames.js";
import { Rekey } from "#transport/rekey.js";
import type { SeededRandom } from "../simulation/seededRandom.js";
import { CLEAR_KEYS, OWN, PEER, type Wire } from "./bareVictim.js";
import { RecordingSink } from "./frames.js";

const PTO_MS = 100;

/** The end opposite a BareVictim. It renews keys by the rules; whoever steers it spoils what it says on the way. */
export class RekeyPeer implements Wire {
  /** Its messages that nobody has passed on yet. */
  readonly waiting: Uint8Array[] = [];
  now = 1;
  /** It hears nothing, and so stays with the keys it has. */
  deaf = false;
  readonly #protection: PacketProtection;
  readonly #rekey: Rekey;
  readonly #heard = new CryptoStream();
  #broken = false;

  constructor(random: SeededRandom, role: "initiator" | "responder") {
    const keys = { send: CLEAR_KEYS, receive: CLEAR_KEYS };
    this.#protection = new PacketProtection({ keys, remoteCid: new Uint8Array(8), random: random.bytes });
    this.#rekey = new Rekey({
      ...{ crypto: nativeCrypto, random: random.bytes, role, own: PEER, peerStatic: OWN.public, psk: PEER.public },
      ...{ handshakeHash: PEER.public, exporter: PEER.public.slice(), protection: this.#protection, now: this.now },
    });
  }

  /** The newest epoch that both ends have proved to hold, as it sees it. */
  get epoch(): number {
    return this.#rekey.epoch;
  }

  /** Fresh keys, if it may begin; the epoch to ask the victim for, if the victim has to. */
  request(): number | undefined {
    this.#rekey.request();
    this.#collect();
    return this.#rekey.takeRekeyRequest();
  }

  pass(now: number): void {
    this.now = now;
    this.#try(() => this.#rekey.tick(now));
  }

  seal(number: number, frames: Uint8Array): Uint8Array {
    const out = new Uint8Array(Math.max(MIN_PACKET, frames.length + DATA_OVERHEAD));
    out.set(frames, DATA_HEADER);
    this.#protection.seal(out, 0, out.length - DATA_OVERHEAD, number);
    return out;
  }

  open(datagram: Uint8Array): number | undefined {
    if (this.deaf) return undefined;
    const { length } = datagram;
    let number: number | undefined;
    this.#try(() => {
      const opened = this.#protection.open(datagram.slice());
      if (!opened) return;
      number = opened.packetNumber;
      this.#rekey.onPacketOpened(opened.epoch, length, this.now, PTO_MS);
      const sink = new RecordingSink();
      parseFrames(opened.payload, sink);
      for (const frame of sink.frames) {
        const bytes = frame.kind === "crypto" ? this.#heard.receive(frame.offset, frame.data) : undefined;
        if (bytes) this.#rekey.onCrypto(bytes);
      }
    });
    return number;
  }

  /** What it is told after somebody has spoiled its words may make no sense to it: then it renews nothing any more. */
  #try(act: () => void): void {
    if (this.#broken) return;
    try {
      act();
      this.#collect();
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      this.#broken = true;
    }
  }

  #collect(): void {
    for (let bytes = this.#rekey.takeCrypto(); bytes; bytes = this.#rekey.takeCrypto()) this.waiting.push(bytes);
  }
}

import type { Crypto } from "#crypto/crypto.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { concat } from "#kernel/bytes.js";
import { FRAME } from "#transport/frames.js";
import { DEFAULT_PARAMETERS } from "#transport/params.js";
import { encodeRekeyMessage } from "#transport/rekeyMessages.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { BareVictim } from "./bareVictim.js";
import { frame } from "./hostile.js";
import { RekeyPeer } from "./rekeyPeer.js";

const MOST_ACTS = 24;
/** Five Diffie-Hellmans and a key pair: what a renewal costs either end, and so what an act may. */
const EACH = 6;
/** Renewing more often leads nowhere new. */
const MOST_EPOCHS = 2;
/** Acts after which bytes may be missing, or wrong, or too many. */
const SPOILING = [3, 5, 9, 14, 15];
/** How a peer that lies about keys, or about where its bytes belong, may end it. */
const ENDS = ["KEY_UPDATE_ERROR", "CRYPTO_BUFFER_EXCEEDED", "IDLE"];

/**
 * Plays a hostile, authenticated peer that renews keys: `program` is a list of acts, an odd first byte makes the victim the
 * initiator. Throws for what must never be; otherwise says where the story led.
 */
export function rekeyStory(program: Uint8Array): string {
  return new Story(program).run();
}

class Story {
  readonly #program: Uint8Array;
  readonly #random = new SeededRandom(8);
  readonly #peer: RekeyPeer;
  readonly #victim: BareVictim;
  #work = 0;
  #at = 1;
  /** Where the next CRYPTO byte belongs. */
  #offset = 0;
  #last: Uint8Array = new Uint8Array(0);
  #lastAt = 0;
  #furthest = "";
  /** What came may not be whole messages in order any more. */
  #spoiled = false;

  constructor(program: Uint8Array) {
    this.#program = program;
    const role = (program[0] ?? 0) & 1 ? "initiator" : "responder";
    this.#peer = new RekeyPeer(this.#random, role === "initiator" ? "responder" : "initiator");
    const options = { wire: this.#peer, crypto: this.#counting() };
    this.#victim = new BareVictim(this.#random, role, DEFAULT_PARAMETERS, options);
  }

  run(): string {
    for (let acts = 1; acts <= MOST_ACTS && this.#at < this.#program.length && this.#victim.ending === ""; acts++) {
      this.#act();
      this.#audit(acts);
    }
    const { connection, now, ending } = this.#victim;
    const epochs = [connection.stats(now).epoch, this.#peer.epoch].map((epoch) => Math.min(epoch, MOST_EPOCHS));
    return `${epochs.join()} ${ending} ${this.#furthest}`;
  }

  #next(): number {
    return this.#program[this.#at++] ?? 0;
  }

  #act(): void {
    const victim = this.#victim;
    const act = this.#next() % 17;
    if (SPOILING.includes(act)) this.#spoiled = true;
    switch (act) {
      case 0:
        victim.connection.rekey();
        victim.drain();
        break;
      case 1: {
        const epoch = this.#peer.request();
        if (epoch !== undefined) victim.send(frame(FRAME.REKEY_REQUEST, [epoch]));
        break;
      }
      case 2:
        this.#tell(this.#take());
        break;
      case 3: {
        const bytes = this.#take();
        const at = this.#next();
        if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << (this.#next() & 7));
        this.#tell(bytes);
        break;
      }
      case 4:
        this.#inPieces(this.#take(), 1 + this.#next(), 0);
        break;
      case 5:
        this.#inPieces(this.#take(), 1 + this.#next(), 1 + (this.#next() & 31));
        break;
      case 6: // the same bytes in the same place
        this.#crypto(this.#lastAt, this.#last);
        break;
      case 7: // the same message once more
        this.#tell(this.#last.slice());
        this.#mustEnd();
        break;
      case 8:
        this.#tell(this.#forged());
        this.#mustEnd();
        break;
      case 9: {
        const gap = this.#next() * 32;
        this.#crypto(this.#offset + gap, this.#random.bytes(this.#next()));
        break;
      }
      case 10:
        victim.send(frame(FRAME.REKEY_REQUEST, [this.#next() & 7]));
        break;
      case 11:
        victim.acknowledge();
        break;
      case 12:
        this.#wait([1, 30, 400, 1100][this.#next() & 3] ?? 1);
        break;
      case 13:
        victim.send(Uint8Array.of(FRAME.PING));
        break;
      case 16:
        this.#peer.deaf = !this.#peer.deaf;
        break;
      case 14: // half a message now, the rest, perhaps, later
        this.#tell(this.#take().subarray(0, this.#next()));
        break;
      default: // far away, and where numbers end
        this.#crypto(
          [2 ** 53 - 1, 2 ** 32, this.#offset + 4096, 0][this.#next() & 3] ?? 0,
          this.#random.bytes(1 + this.#next()),
        );
    }
    this.#furthest = `${act}`;
  }

  /** A whole message that comes again, or that nobody has made by the rules. */
  #mustEnd(): void {
    if (this.#spoiled || this.#last.length === 0 || this.#victim.ending !== "") return;
    throw new Error("a message out of turn was taken");
  }

  /** What the honest peer would say now. */
  #take(): Uint8Array {
    return concat(...this.#peer.waiting.splice(0));
  }

  /** A message of our own, any of its fields wrong. */
  #forged(): Uint8Array {
    const kind = this.#next();
    const epoch = Math.max(0, this.#peer.epoch + 1 + ((this.#next() & 7) - 3));
    const noise = this.#random.bytes([96, 48, 0, this.#next(), 256][kind & 3] ?? 0);
    const bytes = encodeRekeyMessage({ type: kind & 4 ? 1 : 2, epoch, noise });
    if (kind & 24) this.#spoiled = true;
    if (kind & 8) bytes[0] = this.#next();
    if (kind & 16) bytes[5] = this.#next();
    return bytes;
  }

  /** The next bytes of the stream. */
  #tell(bytes: Uint8Array): void {
    this.#last = bytes;
    this.#lastAt = this.#offset;
    this.#crypto(this.#offset, bytes);
    this.#offset += bytes.length;
  }

  /** The last piece first. `over`: how far each piece reaches into the next one, with other bytes there. */
  #inPieces(bytes: Uint8Array, step: number, over: number): void {
    const start = this.#offset;
    this.#last = bytes;
    this.#lastAt = start;
    this.#offset += bytes.length;
    for (let at = Math.floor((bytes.length - 1) / step) * step; at >= 0; at -= step) {
      const piece = bytes.slice(at, at + step);
      this.#crypto(start + at, over === 0 ? piece : concat(piece, this.#random.bytes(over)));
    }
  }

  #crypto(offset: number, bytes: Uint8Array): void {
    this.#victim.send(frame(FRAME.CRYPTO, [offset, bytes.length], bytes));
  }

  #wait(ms: number): void {
    this.#victim.wait(ms);
    this.#peer.pass(this.#victim.now);
  }

  /** Never more work than a renewal for an act, never a new epoch alone, an end that has a name. */
  #audit(acts: number): void {
    const { connection, now, ending, memory } = this.#victim;
    if (this.#work > EACH * acts) throw new Error(`${this.#work} Diffie-Hellmans for ${acts} acts`);
    const { epoch } = connection.stats(now);
    if (epoch > this.#peer.epoch + 1) throw new Error(`epoch ${epoch}, but nobody else is beyond ${this.#peer.epoch}`);
    const code = ending.split(" ")[0] ?? "";
    if (ending !== "" && !ENDS.includes(code)) throw new Error(`ended with ${ending}`);
    const { receiving, sending } = memory.stats;
    if (receiving !== 0 || sending !== 0) throw new Error("keys are no stream");
  }

  #counting(): Crypto {
    return {
      ...nativeCrypto,
      x25519: (own, peerPublic) => {
        this.#work++;
        return nativeCrypto.x25519(own, peerPublic);
      },
      x25519KeyPair: (secret) => {
        this.#work++;
        return nativeCrypto.x25519KeyPair(secret);
      },
    };
  }
}

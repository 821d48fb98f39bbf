import type { HandfastError } from "#kernel/errors.js";
import type { Address, Instant, OutgoingDatagram } from "#kernel/ports.js";
import { GIVEN_UP } from "./closing.js";
import { cidKey } from "./connectionId.js";
import type { ConnectionLog } from "./connectionLog.js";
import type { Dial, DialResult } from "./dial.js";
import type { ConnectOptions } from "./endpointTypes.js";
import { TRANSPORT_ERROR, TransportError } from "./errors.js";
import { answeredScid } from "./handshakePackets.js";

/** One device that we call. */
export interface Dialling {
  readonly handle: number;
  readonly dial: Dial;
  readonly options: ConnectOptions;
  readonly log: ConnectionLog | undefined;
}

export interface FailedDial {
  readonly handle: number;
  readonly error: HandfastError;
}

export interface AnsweredDial extends Dialling {
  readonly result: Extract<DialResult, { error: undefined }>;
}

/** Everybody that this endpoint calls at the moment, by the connection ID that an answer names. */
export class Dials {
  readonly #dials = new Map<number, Dialling>();
  #nextHandle = 1;

  get size(): number {
    return this.#dials.size;
  }

  has(key: number): boolean {
    return this.#dials.has(key);
  }

  /** Infinity when nobody is called. */
  get deadline(): Instant {
    let earliest = Number.POSITIVE_INFINITY;
    for (const { dial } of this.#dials.values()) earliest = Math.min(earliest, dial.deadline);
    return earliest;
  }

  /** The handle by which it is cancelled and reported. */
  add(dial: Dial, options: ConnectOptions, log: ConnectionLog | undefined): number {
    const handle = this.#nextHandle++;
    this.#dials.set(cidKey(dial.scid), { handle, dial, options, log });
    return handle;
  }

  cancel(handle: number): void {
    for (const [key, dialling] of this.#dials) {
      if (dialling.handle !== handle) continue;
      this.#dials.delete(key);
      dialling.log?.closed(GIVEN_UP);
    }
  }

  close(): void {
    for (const { handle } of [...this.#dials.values()]) this.cancel(handle);
  }

  nextDatagram(now: Instant): OutgoingDatagram | undefined {
    for (const { dial, log } of this.#dials.values()) {
      const datagram = dial.nextDatagram(now);
      if (!datagram) continue;
      log?.handshakeSent("init", datagram.bytes.length, now);
      return datagram;
    }
    return undefined;
  }

  /** Those whose time is over. */
  tick(now: Instant): readonly FailedDial[] {
    const failed: FailedDial[] = [];
    for (const [key, dialling] of this.#dials) {
      const result = dialling.dial.tick(now);
      if (result?.error) failed.push(this.#fail(key, dialling, result.error));
    }
    return failed;
  }

  /** A Response or a Cookie: undefined when it fits no dial, "cookie" when that dial goes on. */
  receive(datagram: Uint8Array, from: Address, now: Instant): AnsweredDial | FailedDial | "cookie" | undefined {
    const key = cidKey(answeredScid(datagram));
    const found = this.#dials.get(key);
    const result = found?.dial.receive(datagram, from, now);
    if (!found || !result) return undefined;
    found.log?.handshakeReceived(result === "cookie" ? "cookie" : "response", datagram.length, now);
    if (result === "cookie") return "cookie";
    if (result.error) return this.#fail(key, found, result.error);
    this.#dials.delete(key);
    const { handle, dial, options, log } = found;
    return { handle, dial, options, log, result };
  }

  #fail(key: number, { handle, log }: Dialling, error: HandfastError): FailedDial {
    this.#dials.delete(key);
    const { message: reason } = error;
    log?.closed({ error: new TransportError(TRANSPORT_ERROR.UNREACHABLE, reason), code: 0, reason, remote: true });
    return { handle, error };
  }
}

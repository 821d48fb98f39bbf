import type { Address, Instant } from "#kernel/ports.js";
import type { Accepted } from "./acceptor.js";
import type { ConnectionLog } from "./connectionLog.js";
import type { AnsweredDial } from "./dials.js";

/** A handshake that has made keys, seen from our end. */
export interface Keyed extends Accepted {
  readonly role: "initiator" | "responder";
  readonly path: Address;
  readonly rttMs: number | undefined;
  /** Initiator: when it began to dial. */
  readonly dialledAt: Instant | undefined;
  /** Initiator: it has seen the handshake. */
  readonly log: ConnectionLog | undefined;
  readonly held: boolean;
}

/** The responder's: it has answered, the initiator has not proved itself yet. */
export function answeredHandshake(accepted: Accepted, path: Address): Keyed {
  return {
    role: "responder",
    peerId: accepted.peerId,
    peerStatic: accepted.peerStatic,
    psk: accepted.psk,
    copied: accepted.copied,
    noise: accepted.noise,
    local: accepted.local,
    peer: accepted.peer,
    remoteCid: accepted.remoteCid,
    localCid: accepted.localCid,
    path,
    rttMs: undefined,
    dialledAt: undefined,
    log: undefined,
    held: false,
  };
}

/** The initiator's: the responder has proved itself. */
export function dialledHandshake({ options, dial, log, result }: AnsweredDial): Keyed {
  return {
    role: "initiator",
    peerId: options.id,
    peerStatic: options.peerStatic,
    psk: result.psk,
    copied: result.copied,
    noise: result.noise,
    local: dial.parameters,
    peer: result.peer,
    remoteCid: result.remoteCid,
    localCid: dial.scid,
    path: result.path,
    rttMs: result.rttMs,
    dialledAt: dial.since,
    log,
    held: options.hold === true && !result.copied,
  };
}

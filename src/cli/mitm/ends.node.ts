import process from "node:process";
import { nativeCrypto } from "#crypto/native.node.js";
import type { Address, DatagramSocket } from "#kernel/ports.js";
import { Pump } from "#kernel/pump.js";
import type { PairingIdentity } from "#pairing/exchange.js";
import { PairingInitiator } from "#pairing/initiator.js";
import { PairingResponder } from "#pairing/responder.js";
import { systemClock, systemRandom } from "#transport/clock.node.js";
import { LookAlikePc, LookAlikePhone, type Revealing } from "./lookAlike.js";

const AGAIN_MS = 200;

/** Called with what a person would see. */
export interface Shown {
  readonly digits: (digits: string) => void;
  readonly refused?: (error: { readonly code: string; readonly message: string }) => void;
}

/** A device's identity for one evening. */
export function identityOf(name: string): PairingIdentity {
  const { public: staticPublic } = nativeCrypto.x25519KeyPair(systemRandom(32));
  return { staticPublic, irk: systemRandom(16), name, platform: process.platform, appId: "handfast demo" };
}

/** The product's PC. Nobody answers for its person: the demonstration ends at the digits. */
export function runPc(socket: DatagramSocket, name: string, shown: Shown): void {
  const shared = { crypto: nativeCrypto, random: systemRandom, attempts: { failures: 0, windows: 0 } };
  const responder = new PairingResponder({ ...shared, identity: identityOf(name) });
  const pump: Pump = new Pump(responder, socket, systemClock, () => {
    for (let event = responder.nextEvent(); event; event = responder.nextEvent()) {
      if (event.type === "digits") shown.digits(event.digits);
      if (event.type !== "persistAttempts" || event.id === undefined) continue;
      responder.attemptsPersisted(event.id, systemClock.now());
      pump.turn();
    }
  });
  socket.onDatagram((bytes, from) => pump.receive(bytes, from));
  responder.openWindow({}, systemClock.now());
  pump.turn();
}

/** The product's client. */
export function runPhone(socket: DatagramSocket, to: Address, name: string, shown: Shown): void {
  const shared = { crypto: nativeCrypto, random: systemRandom, to, now: systemClock.now() };
  const initiator = new PairingInitiator({ ...shared, identity: identityOf(name) });
  const pump = new Pump(initiator, socket, systemClock, () => {
    for (let event = initiator.nextEvent(); event; event = initiator.nextEvent()) {
      if (event.type === "digits") shown.digits(event.digits);
      if (event.type === "failed") shown.refused?.(event.error);
    }
  });
  socket.onDatagram((bytes, from) => pump.receive(bytes, from));
  pump.turn();
}

/** The look-alike's PC, or an attacker in its place. */
export function runLookAlikePc(socket: DatagramSocket, shown: Shown, reveal?: (known: Revealing) => Uint8Array): void {
  const pc = new LookAlikePc(nativeCrypto, systemRandom, reveal);
  socket.onDatagram((bytes, from) => {
    const answer = pc.receive(bytes);
    if (answer) socket.send(answer, from);
    if (pc.digits !== undefined) shown.digits(pc.digits);
  });
}

/** The look-alike's client: asks until it has digits. */
export function runLookAlikePhone(socket: DatagramSocket, to: Address, shown: Shown): void {
  const phone = new LookAlikePhone(nativeCrypto, systemRandom);
  const ask = (): void => {
    if (phone.digits !== undefined) return;
    socket.send(phone.hello(), to);
    systemClock.schedule(AGAIN_MS, ask);
  };
  socket.onDatagram((bytes) => {
    if (phone.digits !== undefined) return;
    const answer = phone.receive(bytes);
    if (answer) socket.send(answer, to);
    if (phone.digits !== undefined) shown.digits(phone.digits);
  });
  ask();
}

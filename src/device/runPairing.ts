import type { Address } from "#kernel/ports.js";
import { Pump } from "#kernel/pump.js";
import type { PairedPeer, PairingIdentity } from "#pairing/exchange.js";
import { type InitiatorEvent, PairingInitiator } from "#pairing/initiator.js";
import { bondFrom } from "./bondBook.js";
import type { DevicePorts } from "./channel.js";
import type { PairingRequest } from "./pairingEvents.js";
import type { SharedPort } from "./sharedPort.js";

/** Asks the person at this screen whether the digits are the same. */
export type Compare = (request: Omit<PairingRequest, "confirm" | "reject">) => Promise<boolean>;

/** One attempt of the initiator on the shared port. The bond is stored, provisional, when this resolves. Throws PairingError. */
export async function runPairing(
  ports: DevicePorts,
  port: SharedPort,
  attempt: {
    readonly identity: PairingIdentity;
    readonly to: Address;
    readonly compare: Compare;
    readonly signal?: AbortSignal;
  },
): Promise<PairedPeer> {
  const { crypto, random, clock, socket } = ports;
  const { identity, to, compare, signal } = attempt;
  signal?.throwIfAborted();
  const initiator = new PairingInitiator({ crypto, random, identity, to, now: clock.now() });
  let resolve: (peer: PairedPeer) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<PairedPeer>((onDone, onFailed) => {
    resolve = onDone;
    reject = onFailed;
  });
  const pump: Pump = new Pump(initiator, socket, clock, () => {
    for (let event = initiator.nextEvent(); event; event = initiator.nextEvent()) {
      if (event.type === "failed") reject(event.error);
      else if (event.type === "done") resolve(event.peer);
      else void answer(ports, initiator, event, compare).then(() => pump.turn());
    }
  });
  const onAbort = (): void => {
    initiator.cancel(clock.now());
    pump.turn();
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  const detach = port.attach("pairing", pump);
  try {
    pump.turn();
    return await promise;
  } finally {
    // One more turn, so that a last ABORT leaves.
    pump.turn();
    pump.stop();
    detach();
    signal?.removeEventListener("abort", onAbort);
  }
}

/** What the machine asks of the person and of the disk. */
async function answer(
  { clock, store }: DevicePorts,
  initiator: PairingInitiator,
  event: InitiatorEvent,
  compare: Compare,
): Promise<void> {
  if (event.type === "digits") {
    const peer = { name: event.peerName, platform: event.peerPlatform };
    try {
      const same = await compare({ id: event.id, digits: event.digits, peer });
      if (same) initiator.confirm(clock.now());
      else initiator.reject(clock.now());
    } catch {
      initiator.cancel(clock.now());
    }
  } else if (event.type === "provisional") {
    try {
      await store.put(bondFrom(event.peer, clock.wall()));
      initiator.bondStored();
    } catch {
      initiator.bondFailed(clock.now());
    }
  }
}

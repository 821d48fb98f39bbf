import type { Address } from "#kernel/ports.js";
import { Pump } from "#kernel/pump.js";
import type { PairedPeer, PairingIdentity } from "#pairing/exchange.js";
import { type InitiatorEvent, type InitiatorMethod, PairingInitiator } from "#pairing/initiator.js";
import { parseLink } from "#pairing/link.js";
import { bondFrom } from "./bondBook.js";
import type { DevicePorts } from "./devicePorts.js";
import { type PairingPeer, type PairingRequest, resembling } from "./pairingEvents.js";
import type { SharedPort } from "./sharedPort.js";

/** Asks the person at this screen whether the digits are the same. */
export type Compare = (request: Omit<PairingRequest, "confirm" | "reject">) => Promise<boolean>;

/** Asks the person at this screen for the five letters on the other one. `again`: what was typed before cannot be such letters. */
export type EnterCode = (request: {
  readonly id: string;
  readonly peer: PairingPeer;
  readonly again: boolean;
}) => Promise<string>;

/** How this device's person pairs; the other side has to have chosen the same. `secret`: 16 to 64 random bytes that both were given. */
export type PairingWay =
  | { readonly compare: Compare }
  | { readonly enterCode: EnterCode }
  | { readonly link: string }
  | { readonly secret: Uint8Array };

export interface PairOptions {
  readonly signal?: AbortSignal;
  /** Tries before this one have failed, so the PC takes ours only in so many seconds, 60 at most. Pairing goes on by itself. */
  readonly onDelayed?: (seconds: number) => void;
}

/** One attempt of the initiator on the shared port. The bond is stored, provisional, when this resolves. Throws PairingError. */
export async function runPairing(
  ports: DevicePorts,
  port: SharedPort,
  attempt: {
    readonly identity: PairingIdentity;
    /** The first that answers counts. */
    readonly to: readonly [Address, ...Address[]];
    readonly way: PairingWay;
    readonly options: PairOptions;
  },
): Promise<PairedPeer> {
  const { crypto, random, clock, socket } = ports;
  const { identity, to, way, options } = attempt;
  const { signal } = options;
  signal?.throwIfAborted();
  const initiator = new PairingInitiator({ crypto, random, identity, to, now: clock.now(), method: methodOf(way) });
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
      else if (event.type === "delayed") options.onDelayed?.(event.seconds);
      else void answer(ports, initiator, event, way).then(() => pump.turn());
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

/** Throws HandfastError BAD_LINK for a link that is none. */
function methodOf(way: PairingWay): InitiatorMethod {
  if ("link" in way) return { kind: "link", link: parseLink(way.link) };
  if ("secret" in way) return { kind: "secret", secret: way.secret };
  return { kind: "enterCode" in way ? "code" : "compare" };
}

/** What the machine asks of the person and of the disk. */
async function answer(
  { clock, store }: DevicePorts,
  initiator: PairingInitiator,
  event: InitiatorEvent,
  way: PairingWay,
): Promise<void> {
  if (event.type === "digits" || event.type === "code") {
    const { id, peerName: name, peerPlatform: platform } = event;
    const peer: PairingPeer = { name, platform, ...resembling(name, store.bonds()) };
    try {
      if (event.type === "digits" && "compare" in way) {
        const same = await way.compare({ id, method: "compare", digits: event.digits, peer });
        if (same) initiator.confirm(clock.now());
        else initiator.reject(clock.now());
      } else if ("enterCode" in way) {
        let taken = false;
        for (let again = false; !taken && initiator.stateName === "typing"; again = true)
          taken = initiator.enterCode(await way.enterCode({ id, peer, again }), clock.now());
      }
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

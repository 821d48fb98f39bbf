import type { Bond } from "#bonds/bond.js";
import type { BondStore } from "#bonds/store.js";
import type { Crypto } from "#crypto/crypto.js";
import { HandfastError } from "#kernel/errors.js";
import type { Clock, RandomSource } from "#kernel/ports.js";
import type { Session } from "#transport/session.js";
import { bondsWith, dropReplaced, mixBond, ratchetBond } from "./bondBook.js";
import { acceptExchange, EXCHANGE_MS, offerExchange, QuantumMissingError } from "./quantum.js";
import { holdsSecret, needsExchange } from "./ratchet.js";

/** A handshake that has succeeded, and the session that nobody has yet. */
export interface Handshake {
  readonly session: Session;
  readonly peerStatic: Uint8Array;
  /** The bond secret it used, and its exporter secret. */
  readonly psk: Uint8Array;
  readonly exporter: Uint8Array;
  readonly dialled: boolean;
}

interface Ports {
  readonly clock: Clock;
  readonly crypto: Crypto;
  readonly random: RandomSource;
  readonly store: BondStore;
}

/**
 * Writes down what the handshake proved, in the order of PROTOCOL.md §5 and §6. `onWritten`: the first packet may leave.
 * After it the session may be handed over. Throws HandfastError BOND_GONE, PQ_MISSING, StateError, SessionClosedError.
 */
export async function proveBond(
  ports: Ports,
  handshake: Handshake,
  onWritten: () => void,
): Promise<{ readonly bond: Bond; readonly first: boolean }> {
  const { store, clock } = ports;
  const { session, peerStatic, psk } = handshake;
  const before = bondsWith(store, peerStatic).find((bond) => holdsSecret(bond, psk));
  const moved = await ratchetBond(ports, handshake, { path: session.path, wallNow: clock.wall() });
  if (!before || !moved) throw bondGone();
  onWritten();
  const bond = needsExchange(moved) ? await exchange(ports, handshake, moved) : moved;
  if (!bond) throw bondGone();
  await dropReplaced(store, bond);
  return { bond, first: before.state === "provisional" };
}

export function bondGone(): HandfastError {
  return new HandfastError("BOND_GONE", "The two devices are not paired any more. Pair them again.");
}

async function exchange(ports: Ports, handshake: Handshake, bond: Bond): Promise<Bond | undefined> {
  const { clock, crypto, random, store } = ports;
  const { session, psk, exporter, dialled } = handshake;
  const input = { crypto, random, psk, exporter };
  let late = false;
  const cancel = clock.schedule(EXCHANGE_MS, () => {
    late = true;
    void session.close();
  });
  try {
    if (dialled) return await mixBond(store, bond, await offerExchange(input, await session.openStream()));
    const first = await session.incomingStreams()[Symbol.asyncIterator]().next();
    if (first.done) throw new QuantumMissingError();
    const { secret, answer } = await acceptExchange(input, first.value);
    const mixed = await mixBond(store, bond, secret);
    if (mixed) await answer();
    return mixed;
  } catch (error) {
    throw late ? new QuantumMissingError() : error;
  } finally {
    cancel();
  }
}

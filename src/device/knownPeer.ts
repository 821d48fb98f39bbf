import type { BondStore } from "#bonds/store.js";
import type { Crypto } from "#crypto/crypto.js";
import { equalConstantTime } from "#kernel/bytes.js";
import type { KnownPeer } from "#transport/acceptor.js";
import { bondsWith, deviceIdOf, isStale } from "./bondBook.js";
import { chooseSecret } from "./ratchet.js";

/** What a handshake may know of the device that holds this key. */
export function knownPeer(
  store: BondStore,
  crypto: Crypto,
  staticPublic: Uint8Array,
  wallNow: number,
): KnownPeer | "forgotten" | undefined {
  const [bond, ...others] = bondsWith(store, staticPublic).filter((each) => !isStale(each, wallNow));
  if (bond)
    return {
      id: deviceIdOf(crypto, staticPublic),
      psk: bond.secret.reveal(),
      choose: (hints) => chooseSecret(crypto, [bond, ...others], hints),
    };
  return store.tombstones().some(({ peerStatic }) => equalConstantTime(peerStatic, staticPublic))
    ? "forgotten"
    : undefined;
}

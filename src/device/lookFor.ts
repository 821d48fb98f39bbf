import type { Bond } from "#bonds/bond.js";
import type { Crypto } from "#crypto/crypto.js";
import { tagMatches } from "#discovery/tag.js";
import { type Address, sameAddress } from "#kernel/ports.js";
import type { Discovery, Host } from "./discoveryPort.js";

/** Looks on the network for the holder of `bond`, and for devices that stand in its place (PROTOCOL.md §3). Hints, never proof. */
export function lookFor(
  { discovery, crypto }: { readonly discovery: Discovery; readonly crypto: Crypto },
  bond: Bond,
  found: { readonly onSeen: (addresses: readonly Address[]) => void; readonly onStranger?: () => void },
): { close(): void } {
  const look = (host: Host): void => {
    if (!host.tag) return;
    const addresses = host.addresses.map((address) => ({ host: address, port: host.port }));
    if (tagMatches(crypto, bond.irk.reveal(), host.tag)) found.onSeen(addresses);
    else if (standsInItsPlace(host, addresses, bond)) found.onStranger?.();
  };
  return discovery.browse({ onFound: look, onUpdated: look });
}

function standsInItsPlace(host: Host, addresses: readonly Address[], bond: Bond): boolean {
  if (host.pairing && host.name === bond.name) return true;
  return addresses.some((address) => bond.addresses.some((known) => sameAddress(address, known)));
}

import { networkInterfaces } from "node:os";
import { systemClock } from "./clock.node.js";
import { HostWatch } from "./hostWatch.js";

const EVERY_MS = 2_000;

/** What is told when the machine has slept or moved. `Endpoint` has both methods. */
export interface HostListener {
  networkChanged(now: number): void;
  resume(now: number, hiddenMs: number): void;
}

/** Looks every two seconds and tells `listener`; call `after` behind it (the pump's `turn`). Returns how to stop. */
export function watchHost(listener: HostListener, after: () => void): () => void {
  const state = () => ({ now: systemClock.now(), wall: systemClock.wall(), addresses: hostAddresses() });
  const watch = new HostWatch(state());
  const timer = setInterval(() => {
    const { network, hiddenMs } = watch.look(state());
    const now = systemClock.now();
    if (hiddenMs > 0) listener.resume(now, hiddenMs);
    if (network) listener.networkChanged(now);
    if (network || hiddenMs > 0) after();
  }, EVERY_MS);
  // Watching alone is no reason for a program to go on.
  timer.unref();
  return () => clearInterval(timer);
}

/** Addresses that others may reach, with their interface: loopback never changes. */
function hostAddresses(): readonly string[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
    (addresses ?? []).filter(({ internal }) => !internal).map(({ address }) => `${name} ${address}`),
  );
}

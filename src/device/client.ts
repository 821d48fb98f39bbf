import type { Bond } from "#bonds/bond.js";
import { tagMatches } from "#discovery/tag.js";
import { HandfastError } from "#kernel/errors.js";
import type { Address } from "#kernel/ports.js";
import type { PairedPeer } from "#pairing/exchange.js";
import { parseLink } from "#pairing/link.js";
import { NotReachableError } from "#transport/dial.js";
import { bondFrom, deviceIdOf, dropStale } from "./bondBook.js";
import { DeviceChannel, type DevicePorts, type PeerSession } from "./channel.js";
import { Discovered } from "./discovered.js";
import { type PairingWay, runPairing } from "./runPairing.js";
import type { ServerOptions } from "./server.js";

const CONNECT_MS = 10_000;

/** Where a device is: found by discovery, or named by a person. */
export interface Target {
  readonly name: string | undefined;
  readonly addresses: readonly Address[];
}

/** The device that joins: finds the PC, pairs once, then connects whenever it wants. */
export class Client implements AsyncDisposable {
  readonly device: string;
  readonly #ports: DevicePorts;
  readonly #options: ServerOptions;
  readonly #channel: DeviceChannel;
  /** Sessions that pairing left open, until somebody connects. */
  readonly #ready = new Map<string, PeerSession>();
  #closed: Promise<void> | undefined;

  constructor(ports: DevicePorts, options: ServerOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#channel = new DeviceChannel(ports, false);
    this.device = deviceIdOf(ports.crypto, this.#channel.keyPair.public);
  }

  /** Devices this one has paired with. */
  async bonds(): Promise<readonly Bond[]> {
    await dropStale(this.#ports.store, this.#ports.clock.wall());
    return this.#ports.store.bonds();
  }

  /** Devices on the network, as they appear. Ends when `signal` aborts. */
  discover(options: { readonly signal?: AbortSignal } = {}): Discovered {
    return new Discovered(this.#ports.discovery, options.signal);
  }

  /** A device at a known address: `host:port`, or `host` for the default port 4760. */
  at(address: string): Target {
    return { name: undefined, addresses: [parseAddress(address)] };
  }

  /** The device that shows this link. Throws HandfastError BAD_LINK. */
  fromLink(text: string): Target {
    return { name: undefined, addresses: parseLink(text).addresses };
  }

  /**
   * Pairs with the PC at `target`, in the way that the person chose on both: `compare` asks whether the digits are the same,
   * `enterCode` asks for the letters on the PC's screen, `link` is what the PC shows, `secret` what both were given.
   * The first address that answers counts. Throws PairingError.
   */
  async pair(
    target: Target,
    options: PairingWay & { readonly signal?: AbortSignal },
  ): Promise<{ readonly bond: Bond; readonly device: string }> {
    const { name, platform, service: appId } = this.#options;
    const irk = this.#ports.store.identity().irk.reveal();
    const identity = { staticPublic: this.#channel.keyPair.public, irk, name, platform, appId };
    const [first, ...others] = target.addresses;
    if (!first) throw new NotReachableError();
    const { signal, ...way } = options;
    const attempt = { identity, to: [first, ...others] as const, way, signal };
    return this.#firstSession(await runPairing(this.#ports, this.#channel.port, attempt));
  }

  /** A session with the holder of `bond`: remembered addresses and discovery at once, the first that proves itself wins. */
  async connect(
    bond: Bond,
    options: { readonly signal?: AbortSignal; readonly at?: readonly Address[]; readonly timeoutMs?: number } = {},
  ): Promise<PeerSession> {
    options.signal?.throwIfAborted();
    const device = deviceIdOf(this.#ports.crypto, bond.peerStatic);
    const ready = this.#ready.get(device);
    this.#ready.delete(device);
    if (ready && !ready.session.closeInfo) return ready;
    return await this.#race(bond, options.at ?? bond.addresses, options.timeoutMs ?? CONNECT_MS, options.signal);
  }

  /** Drops the bond and ends the sessions. False when there is no such bond. */
  async forget(bond: Bond): Promise<boolean> {
    const removed = await this.#ports.store.remove(bond.id, Math.trunc(this.#ports.clock.wall()));
    this.#channel.revoke(bond);
    return removed;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    await this.#channel.close();
    await this.#ports.discovery.close();
    await this.#ports.store.close();
  }

  /** PROTOCOL.md §2 step 4: the channel handshake makes the bond count. */
  async #firstSession(peer: PairedPeer): Promise<{ readonly bond: Bond; readonly device: string }> {
    const provisional = bondFrom(peer, this.#ports.clock.wall());
    const connected = await this.#channel.dial(provisional, [peer.address], CONNECT_MS).session;
    this.#ready.set(connected.device, connected);
    return { bond: connected.bond, device: connected.device };
  }

  async #race(bond: Bond, known: readonly Address[], timeoutMs: number, signal?: AbortSignal): Promise<PeerSession> {
    const dials: { session: Promise<PeerSession>; cancel: () => void }[] = [];
    const tried = new Set(known.map(keyOf));
    const { discovery, crypto } = this.#ports;
    return await new Promise<PeerSession>((resolve, reject) => {
      const finish = (end: () => void): void => {
        browse.close();
        signal?.removeEventListener("abort", onAbort);
        for (const dial of dials) dial.cancel();
        end();
      };
      const onAbort = (): void => finish(() => reject(signal?.reason));
      const dial = (to: readonly Address[]): void => {
        const attempt = this.#channel.dial(bond, to, timeoutMs);
        dials.push(attempt);
        attempt.session.then(
          (session) => finish(() => resolve(session)),
          (error: HandfastError) => {
            // Another address may still answer; but who proves itself and says no has the last word.
            if (error.code !== "NOT_REACHABLE" || attempt === dials[0]) finish(() => reject(error));
          },
        );
      };
      const look = (host: {
        readonly tag: Uint8Array | undefined;
        readonly addresses: readonly string[];
        readonly port: number;
      }): void => {
        if (!host.tag || !tagMatches(crypto, bond.irk.reveal(), host.tag)) return;
        const fresh = host.addresses
          .map((address) => ({ host: address, port: host.port }))
          .filter((to) => !tried.has(keyOf(to)));
        for (const to of fresh) tried.add(keyOf(to));
        if (fresh.length > 0) dial(fresh);
      };
      const browse = discovery.browse({ onFound: look, onUpdated: look });
      signal?.addEventListener("abort", onAbort, { once: true });
      dial(known);
    });
  }
}

function keyOf(address: Address): string {
  return `${address.host} ${address.port}`;
}

export const DEFAULT_PORT = 4760;

/** `host`, `host:port` or `[v6]:port`. Throws HandfastError BAD_ADDRESS. */
export function parseAddress(text: string): Address {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const number = port === undefined ? DEFAULT_PORT : Number(port);
  if (!host || number < 1 || number > 65_535)
    throw new HandfastError(
      "BAD_ADDRESS",
      `"${text}" is not an address. Write host:port, for example 192.168.1.20:4760.`,
    );
  return { host, port: number };
}

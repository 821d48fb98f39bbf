import type { Bond } from "#bonds/bond.js";
import { tagMatches } from "#discovery/tag.js";
import { HandfastError } from "#kernel/errors.js";
import type { Address } from "#kernel/ports.js";
import type { PairedPeer } from "#pairing/exchange.js";
import { parseLink } from "#pairing/link.js";
import { NotReachableError } from "#transport/dial.js";
import type { MemoryStats } from "#transport/endpointMemory.js";
import { bondFrom, deviceIdOf, dropStale } from "./bondBook.js";
import { IdentityChangedError } from "./bondErrors.js";
import { DeviceChannel, type PeerSession } from "./channel.js";
import type { DevicePorts } from "./devicePorts.js";
import type { DeviceStats, Drops, Warnings } from "./deviceStats.js";
import { Discovered } from "./discovered.js";
import type { Host } from "./discoveryPort.js";
import { type ConnectOptions, type KeepConnectedOptions, keepConnected } from "./keepConnected.js";
import { lookFor } from "./lookFor.js";
import { OWN_UPGRADES } from "./quantum.js";
import { type PairingWay, type PairOptions, runPairing } from "./runPairing.js";
import type { ServerOptions } from "./server.js";
import { keyOf, parseAddress, type Target, withZones } from "./target.js";

const CONNECT_MS = 10_000;

/** The device that joins: finds the PC, pairs once, then connects whenever it wants. */
export class Client implements AsyncDisposable {
  /** This device's own id: 16 hex digits, the same for ever. */
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

  /** The same at once, those that were never confirmed included. */
  storedBonds(): readonly Bond[] {
    return this.#ports.store.bonds();
  }

  /** What keeps us from finding and being found: a sentence for the person each. */
  get networkProblems(): readonly string[] {
    return this.#ports.discovery.status?.problems ?? [];
  }

  /** Bytes that all sessions together hold, and may hold. */
  get memory(): MemoryStats {
    return this.#channel.memory;
  }

  /** What has been dropped and why, for `status`. */
  get drops(): Drops {
    return this.#channel.drops;
  }

  /** What the person should know of, and how often it was, for `status`. */
  get warnings(): Warnings {
    return { ...this.#channel.warnings };
  }

  /** Sessions, handshakes, drops, memory and queues of this moment. */
  stats(): DeviceStats {
    return this.#channel.stats();
  }

  /** Devices on the network, as they appear. Ends when `signal` aborts. */
  discover(options: { readonly signal?: AbortSignal } = {}): Discovered {
    return new Discovered(this.#ports.discovery, options.signal);
  }

  /** A device at a known address: `host:port`, `[IPv6]:port`, or `host` for the default port 4760. Throws HandfastError BAD_ADDRESS. */
  at(address: string): Target {
    const addresses = this.#reachable([parseAddress(address)]);
    if (addresses.length === 0)
      throw new HandfastError(
        "BAD_ADDRESS",
        `"${address}" is an address on one link only. Name the network interface behind it, for example [fe80::1%eth0]:4760.`,
      );
    return { name: undefined, addresses };
  }

  /** The device that shows this link. Throws HandfastError BAD_LINK. */
  fromLink(text: string): Target {
    return { name: undefined, addresses: this.#reachable(parseLink(text).addresses) };
  }

  /**
   * Pairs with the PC at `target`, in the way that the person chose on both: `compare` asks whether the digits are the same,
   * `enterCode` asks for the letters on the PC's screen, `link` is what the PC shows, `secret` what both were given.
   * The first address that answers counts. Throws PairingError.
   */
  async pair(
    target: Target,
    options: PairingWay & PairOptions,
  ): Promise<{ readonly bond: Bond; readonly device: string }> {
    const { name, platform, service: appId } = this.#options;
    const irk = this.#ports.store.identity().irk.reveal();
    const staticPublic = this.#channel.keyPair.public;
    const identity = { staticPublic, irk, name, platform, appId, upgrades: OWN_UPGRADES };
    const [first, ...others] = target.addresses;
    if (!first) throw new NotReachableError();
    const attempt = { identity, to: [first, ...others] as const, way: options, options };
    return this.#firstSession(await runPairing(this.#ports, this.#channel.port, attempt));
  }

  /** A session with the holder of `bond`: remembered addresses and discovery at once, the first that proves itself wins. */
  async connect(bond: Bond, options: ConnectOptions = {}): Promise<PeerSession> {
    options.signal?.throwIfAborted();
    const device = this.deviceOf(bond);
    const ready = this.#ready.get(device);
    this.#ready.delete(device);
    if (ready && !ready.session.closeInfo) return ready;
    return await this.#race(bond, options.at ?? bond.addresses, options);
  }

  /** Calls `onSeen` with its addresses whenever the holder of `bond` announces itself or moves. A hint, never a proof. */
  watch(bond: Bond, onSeen: (addresses: readonly Address[]) => void): { close(): void } {
    return lookFor(this.#ports, bond, { onSeen });
  }

  /** The bond with a device that discovery found, if it is one of ours. A hint, never a proof. */
  recognise({ tag }: Pick<Host, "tag">): Bond | undefined {
    const { store, crypto } = this.#ports;
    return tag && store.bonds().find((bond) => tagMatches(crypto, bond.irk.reveal(), tag));
  }

  /** A session with the holder of `bond`, and another whenever one has ended: see `keepConnected`. */
  stayConnected(
    bond: Bond,
    options: Omit<KeepConnectedOptions, "client" | "bond" | "clock" | "random"> = {},
  ): AsyncGenerator<PeerSession> {
    const { clock, random } = this.#ports;
    return keepConnected({ ...options, client: this, bond, clock, random });
  }

  /** The id of the device that holds this bond: 16 hex digits, the same on every device that knows it. */
  deviceOf(bond: Bond): string {
    return deviceIdOf(this.#ports.crypto, bond.peerStatic);
  }

  /** Drops the bond and ends the sessions. False when there is no such bond. */
  async forget(bond: Bond): Promise<boolean> {
    return await this.#channel.forget(bond);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #reachable(addresses: readonly Address[]): Address[] {
    return withZones(addresses, this.#ports.discovery.addresses);
  }

  async #close(): Promise<void> {
    await this.#channel.close();
    await this.#ports.discovery.close();
    await this.#ports.store.close();
  }

  /** PROTOCOL.md §2 step 4: the channel handshake makes the bond count. */
  async #firstSession(peer: PairedPeer): Promise<{ readonly bond: Bond; readonly device: string }> {
    const provisional = bondFrom(peer, this.#ports.clock.wall());
    const connected = await this.#channel.dial(provisional, [peer.address], { timeoutMs: CONNECT_MS }).session;
    this.#ready.set(connected.device, connected);
    return { bond: connected.bond, device: connected.device };
  }

  async #race(bond: Bond, known: readonly Address[], options: ConnectOptions): Promise<PeerSession> {
    const { timeoutMs = CONNECT_MS, signal, unless } = options;
    const dials: { session: Promise<PeerSession>; cancel: () => void }[] = [];
    const tried = new Set(known.map(keyOf));
    return await new Promise<PeerSession>((resolve, reject) => {
      const finish = (end: () => void): void => {
        browse.close();
        signal?.removeEventListener("abort", onAbort);
        for (const dial of dials) dial.cancel();
        end();
      };
      const onAbort = (): void => finish(() => reject(signal?.reason));
      const dial = (to: readonly Address[]): void => {
        const attempt = this.#channel.dial(bond, to, { timeoutMs, unless });
        dials.push(attempt);
        attempt.session.then(
          (session) => finish(() => resolve(session)),
          (error: HandfastError) => {
            // Another address may still answer; but who proves itself and says no has the last word.
            if (error.code !== "NOT_REACHABLE") finish(() => reject(error));
            else if (attempt === dials[0]) finish(() => reject(stranger ? this.#identityChanged(bond) : error));
          },
        );
      };
      let stranger = false;
      const browse = lookFor(this.#ports, bond, {
        onSeen: (addresses) => {
          const fresh = addresses.filter((to) => !tried.has(keyOf(to)));
          for (const to of fresh) tried.add(keyOf(to));
          if (fresh.length > 0) dial(fresh);
        },
        onStranger: () => {
          stranger = true;
        },
      });
      signal?.addEventListener("abort", onAbort, { once: true });
      dial(known);
    });
  }

  #identityChanged(bond: Bond): IdentityChangedError {
    this.#channel.warnings.identityChanged++;
    return new IdentityChangedError(deviceIdOf(this.#ports.crypto, bond.peerStatic), bond.name);
  }
}

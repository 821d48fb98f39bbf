import type { Instant } from "#kernel/ports.js";
import type { ConnectionTable, Entry } from "./connectionTable.js";
import type { EndpointEvent } from "./endpointTypes.js";
import { TRANSPORT_ERROR } from "./errors.js";
import type { PacketDrops } from "./packet.js";
import { superseded } from "./succession.js";

const HALF_OPEN_PER_BOND = 2;
const HALF_OPEN_ALL = 1024;

/** From half-open to live to forgotten, and which connection of a bond counts: PROTOCOL.md §2. */
export class Lifecycle {
  readonly #entries: ConnectionTable;
  readonly #ownStatic: Uint8Array;
  readonly #events: EndpointEvent[];
  /** What connections that are over have dropped. */
  readonly gone: PacketDrops = { short: 0, epoch: 0, duplicate: 0, forged: 0 };

  /** `events`: where it says what the application shall hear. */
  constructor(entries: ConnectionTable, ownStatic: Uint8Array, events: EndpointEvent[]) {
    this.#entries = entries;
    this.#ownStatic = ownStatic;
    this.#events = events;
  }

  /** Before one more half-open connection of this device: at a limit the oldest gives way. */
  makeRoom(peerId: string): void {
    const crowded = this.#entries.halfOpenOf(peerId) >= HALF_OPEN_PER_BOND;
    if (crowded || this.#entries.halfOpen >= HALF_OPEN_ALL) {
      const oldest = this.#entries.oldestHalfOpen(crowded ? peerId : undefined);
      if (oldest) this.forget(oldest);
    }
  }

  /** The answer to a dial of ours made its keys. */
  dialled(entry: Entry, dial: number): void {
    // Of a copy the server learns by our first packet; nobody gets this connection, and the server ends it.
    if (entry.copied) this.#alarm(entry, dial);
    else this.goLive(entry, dial);
  }

  /** A datagram came for it; `authentic`: by the peer. */
  heard(entry: Entry, authentic: boolean, now: Instant): void {
    if (!entry.live && entry.connection.confirmed) this.confirm(entry, now);
    else if (authentic && !entry.heard) this.#supersede(entry, now);
    entry.heard ||= authentic;
  }

  /** The client's first data packet came: only now may it replace an older connection. */
  confirm(entry: Entry, now: Instant): void {
    if (entry.copied) {
      this.#alarm(entry, undefined);
      this.end(entry, TRANSPORT_ERROR.BOND_COPIED, "another holder of this bond is ahead", now);
      return;
    }
    this.#endOlder(entry);
    this.#supersede(entry, now);
    // Still ours although its first packet may already have said goodbye: who was there so briefly is told of, too.
    if (entry.connection.open || entry.connection.closedByPeer) this.goLive(entry, undefined);
  }

  goLive(entry: Entry, dial: number | undefined): void {
    this.#entries.setLive(entry);
    const { connection, peerId, peerStatic, exporter, psk } = entry;
    this.#events.push({ type: "connected", connection, peerId, peerStatic, exporter, psk, dial });
  }

  end(entry: Entry, code: number, reason: string, now: Instant): void {
    if (entry.live) entry.connection.close({ code, reason, application: false }, now);
    else this.forget(entry);
  }

  forget(entry: Entry): void {
    if (!this.#entries.delete(entry)) return;
    const { drops } = entry.protection;
    entry.protection.erase();
    entry.connection.discard();
    for (const reason of ["short", "epoch", "duplicate", "forged"] as const) this.gone[reason] += drops[reason];
  }

  /** The peer has proved that it holds this connection: older ones of the same bond end. */
  #supersede(entry: Entry, now: Instant): void {
    const ofPeer = this.#entries.ofPeer(entry.peerId);
    for (const { entry: loser, code, reason } of superseded(entry, ofPeer, this.#ownStatic, now)) {
      this.#entries.setLive(loser);
      this.end(loser, code, reason, now);
    }
  }

  /** A first packet that comes later than a newer one's must not count: src/device/PROTOCOL.md §5, rule 4. */
  #endOlder(entry: Entry): void {
    for (const other of this.#entries.ofPeer(entry.peerId)) {
      if (other === entry) return;
      if (!other.live) this.forget(other);
    }
  }

  #alarm(entry: Entry, dial: number | undefined): void {
    this.#entries.setLive(entry);
    this.#events.push({ type: "copied", peerId: entry.peerId, peerStatic: entry.peerStatic, dial });
  }
}

import type { Instant } from "#kernel/ports.js";
import type { ConnectionOptions } from "./connectionOptions.js";
import type { ConnectionParts } from "./connectionParts.js";
import type { Outcomes } from "./outcomes.js";
import type { PacketSender } from "./packetSender.js";

/** What an open connection does with time: silence, probes, acknowledgements and keys that are due. */
export class ConnectionTimers {
  readonly #options: ConnectionOptions;
  readonly #parts: ConnectionParts;
  readonly #sender: PacketSender;
  readonly #outcomes: Outcomes;

  constructor(options: ConnectionOptions, parts: ConnectionParts, sender: PacketSender, outcomes: Outcomes) {
    this.#options = options;
    this.#parts = parts;
    this.#sender = sender;
    this.#outcomes = outcomes;
  }

  /** Nothing was heard for too long. */
  silent(now: Instant): boolean {
    return now >= this.#parts.idle.expiresAt(this.#parts.recovery.pto);
  }

  /** `keepAlive`: silence is to be broken before it ends the connection. Throws TransportError. */
  tick(now: Instant, keepAlive: boolean): void {
    const { due, blocked, idle } = this.#parts;
    if (keepAlive && idle.takeKeepAlive(now)) due.ping = true;
    if (blocked.tick(now)) due.blocked = true;
    this.#outcomes.onTimeout(now);
    this.#options.rekey.tick(now);
  }

  deadline(keepAlive: boolean): Instant | undefined {
    const { recovery, acks, path, blocked, due, idle } = this.#parts;
    let earliest = idle.expiresAt(recovery.pto);
    // A PING that already waits for the pacer must not call for another tick.
    if (keepAlive && !due.ping) earliest = Math.min(earliest, idle.keepAliveAt);
    for (const at of [
      recovery.deadline,
      acks.dueAt,
      path.deadline,
      blocked.deadline,
      this.#sender.pacedUntil,
      this.#options.rekey.deadline,
    ])
      if (at !== undefined && at < earliest) earliest = at;
    return Number.isFinite(earliest) ? earliest : undefined;
  }
}

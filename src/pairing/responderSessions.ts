import type { Instant } from "#kernel/ports.js";
import type { ResponderSession } from "./responderSession.js";

const SILENT_MS = 20_000;
const TIME_WAIT_MS = 60_000;
/** Attempts that are not shown to anybody yet, and those that are over. */
const MAX_WAITING = 64;
const MAX_OVER = 32;

/** The attempts a responder remembers: bounded, and at most one of them shown to the person. PROTOCOL.md §5. */
export class ResponderSessions {
  /** By hex of the pid. */
  readonly #byId = new Map<string, ResponderSession>();

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): ResponderSession | undefined {
    return this.#byId.get(id);
  }

  [Symbol.iterator](): Iterator<ResponderSession> {
    return this.#byId.values();
  }

  /** Strangers may fill a few places at most, each host one of them: the oldest gives way. */
  add(session: ResponderSession): void {
    const { id, from } = session.context;
    for (const other of this.waiting()) if (other.context.from.host === from.host) this.delete(other);
    this.#byId.set(id, session);
    this.trim();
  }

  delete({ context }: ResponderSession): void {
    this.#byId.delete(context.id);
  }

  /** The one that holds the slot. */
  active(): ResponderSession | undefined {
    for (const session of this) if (session.active) return session;
    return undefined;
  }

  /** Those that do not, and are not over. */
  waiting(): ResponderSession[] {
    return [...this].filter(({ active, state }) => !active && state.name !== "over");
  }

  trim(): void {
    const over = [...this].filter(({ state }) => state.name === "over");
    for (const [found, most] of [
      [this.waiting(), MAX_WAITING],
      [over, MAX_OVER],
    ] as const)
      for (const session of found.slice(0, Math.max(0, found.length - most))) this.delete(session);
  }

  deadline(): Instant {
    let earliest = Number.POSITIVE_INFINITY;
    for (const session of this)
      earliest = Math.min(earliest, expiryOf(session), session.aborted?.at ?? Number.POSITIVE_INFINITY);
    return earliest;
  }
}

export function expiryOf({ state, active, heardAt, userUntil }: ResponderSession): Instant {
  // Our own disk is not the peer's fault: while it is busy nothing expires.
  if (state.name === "storing" || state.name === "counting") return Number.POSITIVE_INFINITY;
  if (!active) return heardAt + (state.name === "over" ? TIME_WAIT_MS : SILENT_MS);
  return Math.min(heardAt + SILENT_MS, userUntil);
}

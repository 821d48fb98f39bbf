import type { Instant, OutgoingDatagram } from "#kernel/ports.js";

const AGAIN_MS = [200, 600] as const;

/** What leaves the responder: answers at once, and the few words nobody asked for three times. PROTOCOL.md §5. */
export class Outbox {
  readonly #now: OutgoingDatagram[] = [];
  #later: { readonly at: Instant; readonly datagram: OutgoingDatagram }[] = [];

  send(datagram: OutgoingDatagram): void {
    this.#now.push(datagram);
  }

  sendThrice(datagram: OutgoingDatagram, now: Instant): void {
    this.send(datagram);
    for (const wait of AGAIN_MS) this.#later.push({ at: now + wait, datagram });
  }

  tick(now: Instant): void {
    const due = this.#later.filter(({ at }) => at <= now);
    this.#later = this.#later.filter(({ at }) => at > now);
    for (const { datagram } of due) this.send(datagram);
  }

  get deadline(): Instant {
    return this.#later.reduce((earliest, { at }) => Math.min(earliest, at), Number.POSITIVE_INFINITY);
  }

  next(): OutgoingDatagram | undefined {
    return this.#now.shift();
  }
}

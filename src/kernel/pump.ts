import type { Address, Clock, DatagramSocket, Machine } from "./ports.js";

const CONGESTED_MS = 1;

/** What a pump needs of its socket. */
type Outlet = Pick<DatagramSocket, "send" | "congested">;

/**
 * Drives one machine: after input it drains the datagrams, hands events to `onProgress` and re-arms one timer.
 * All input of one moment is answered in one turn: a burst of packets costs one ACK and one look at the streams.
 * Stopping it still sends what answers the input that the application has heard of.
 * The same pump runs on real sockets and on the simulated network.
 */
export class Pump {
  readonly #machine: Machine;
  readonly #socket: Outlet;
  readonly #clock: Clock;
  readonly #onProgress: () => void;
  #cancelTimer: (() => void) | undefined;
  #armedFor = Number.POSITIVE_INFINITY;
  #cancelSoon: (() => void) | undefined;
  #turning = false;
  #again = false;
  #stopped = false;
  #tickDue = false;
  #blocked = false;
  /** The application knows of datagrams that are not answered yet. */
  #told = false;

  constructor(machine: Machine, socket: Outlet, clock: Clock, onProgress: () => void = () => {}) {
    this.#machine = machine;
    this.#socket = socket;
    this.#clock = clock;
    this.#onProgress = onProgress;
  }

  receive(bytes: Uint8Array, from: Address): void {
    if (this.#stopped) return;
    this.#machine.receive(bytes, from, this.#clock.now());
    if (this.#machine.answersWait) this.#tellSoon();
    else this.soon();
  }

  /** One turn for everything that happens until pending input is done with. */
  soon(): void {
    if (this.#stopped || this.#cancelSoon) return;
    this.#cancelSoon = this.#clock.schedule(0, () => {
      this.#cancelSoon = undefined;
      this.turn();
    });
  }

  /** Call after a command given to the machine from outside. Safe to call from inside `onProgress`. */
  turn(): void {
    if (this.#stopped) return;
    if (this.#turning) {
      this.#again = true;
      return;
    }
    this.#turning = true;
    try {
      if (this.#tickDue) this.#tick();
      do {
        this.#again = false;
        this.#drain();
        this.#onProgress();
      } while (this.#again && !this.#stopped);
    } finally {
      this.#turning = false;
    }
    this.#arm();
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    if (this.#told) this.#drain();
    this.#cancelSoon?.();
    this.#disarm();
  }

  /** Everything that has come is told first, and in the next round of the loop there is one turn for all that follows. */
  #tellSoon(): void {
    if (this.#cancelSoon) return;
    this.#cancelSoon = this.#clock.schedule(0, () => {
      this.#cancelSoon = undefined;
      this.#told = true;
      this.#turning = true;
      try {
        this.#onProgress();
      } finally {
        this.#turning = false;
      }
      this.soon();
    });
  }

  #tick(): void {
    this.#tickDue = false;
    const now = this.#clock.now();
    if (now >= (this.#machine.deadline ?? Number.POSITIVE_INFINITY)) this.#machine.tick(now);
  }

  #drain(): void {
    const now = this.#clock.now();
    this.#told = false;
    this.#blocked = false;
    for (;;) {
      this.#blocked = this.#socket.congested === true;
      const datagram = this.#blocked ? undefined : this.#machine.nextDatagram(now);
      if (!datagram) return;
      this.#socket.send(datagram.bytes, datagram.to);
    }
  }

  #arm(): void {
    const deadline = this.#stopped ? undefined : this.#nextDeadline();
    if (deadline === undefined) {
      this.#disarm();
      return;
    }
    // A timer that fires early only ticks early; re-arming on every packet would cost more than that.
    if (this.#cancelTimer && this.#armedFor <= deadline) return;
    this.#disarm();
    this.#armedFor = deadline;
    this.#cancelTimer = this.#clock.schedule(Math.max(0, deadline - this.#clock.now()), () => {
      this.#cancelTimer = undefined;
      this.#armedFor = Number.POSITIVE_INFINITY;
      // After a busy moment the answers to what seems overdue wait in the socket: they are read first.
      this.#tickDue = true;
      this.soon();
    });
  }

  #nextDeadline(): number | undefined {
    return this.#blocked ? this.#clock.now() + CONGESTED_MS : this.#machine.deadline;
  }

  #disarm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#armedFor = Number.POSITIVE_INFINITY;
  }
}

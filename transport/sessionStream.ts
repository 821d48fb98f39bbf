import { Gate } from "#kernel/gate.js";
import type { ByteStream } from "#kernel/ports.js";
import type { CloseInfo } from "./closing.js";
import { SessionClosedError, StreamResetError } from "./sessionErrors.js";
import type { Stream } from "./stream.js";

const HIGH_WATER = 256 * 1024;
const LOW_WATER = 128 * 1024;

/** What a stream needs of its session. */
export interface SessionDoor {
  /** Something was written, read or ended: packets may have to leave. */
  wake(): void;
  readonly closeInfo: CloseInfo | undefined;
}

/** The promise face of one stream. Writers wait while 256 KiB are unsent; readers return credit as they read. */
export class SessionStream implements ByteStream {
  readonly #stream: Stream;
  readonly #door: SessionDoor;
  readonly #changed = new Gate();

  constructor(stream: Stream, door: SessionDoor) {
    this.#stream = stream;
    this.#door = door;
  }

  get id(): number {
    return this.#stream.id;
  }

  /** 0 is the most urgent, 7 the least; 5 at first. */
  get priority(): number {
    return this.#stream.priority;
  }

  set priority(level: number) {
    this.#stream.priority = level;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#take(bytes);
    if (this.#stream.unsent < HIGH_WATER) return;
    while (this.#stream.unsent > LOW_WATER) {
      await this.#changed.wait();
      this.#throwIfDropped();
    }
  }

  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      // Delivered bytes are the reader's even when the session has ended since.
      const bytes = this.#stream.read();
      if (bytes) {
        this.#door.wake();
        return bytes;
      }
      const state = this.#stream.readState;
      if (state === "ended") return undefined;
      if (state === "stopped") throw new StreamResetError(this.#stream.receiving?.stopCode ?? 0);
      if (state === "reset") throw new StreamResetError(this.#stream.receiving?.resetCode ?? 0);
      if (this.#door.closeInfo) throw new SessionClosedError(this.#door.closeInfo);
      await this.#changed.wait();
    }
  }

  async end(): Promise<void> {
    this.#stream.finish();
    this.#door.wake();
    while (this.#stream.unsent > 0) {
      this.#throwIfDropped();
      await this.#changed.wait();
    }
  }

  reset(code = 0): void {
    this.#stream.reset(code);
    this.#stream.stop(code);
    this.#door.wake();
    this.#changed.open();
  }

  /** The session tells that there may be something to read, room to write, or nothing any more. */
  notify(): void {
    this.#changed.open();
  }

  #take(bytes: Uint8Array): void {
    this.#throwIfDropped();
    if (!this.#stream.write(bytes)) throw new Error("write after end");
    this.#door.wake();
  }

  #throwIfDropped(): void {
    if (this.#door.closeInfo) throw new SessionClosedError(this.#door.closeInfo);
    const code = this.#stream.sending?.resetCode;
    if (code !== undefined) throw new StreamResetError(code);
  }
}

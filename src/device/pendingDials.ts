import { HandfastError } from "#kernel/errors.js";

/** They would rather have what they already have, if it is still good: asked when the peer has proved itself. */
export type Unless = () => Promise<boolean>;

/** Somebody waits for a session with a device that we call. */
export interface PendingDial<Found> {
  readonly device: string;
  readonly peerName: string;
  readonly unless?: Unless | undefined;
  readonly resolve: (found: Found) => void;
  readonly reject: (error: Error) => void;
  cancelled: boolean;
}

/** Who waits for which dial, by its handle. */
export class PendingDials<Found> {
  readonly #stop: (handle: number) => void;
  readonly #dials = new Map<number, PendingDial<Found>>();

  /** `stop`: nobody waits for this dial any longer. */
  constructor(stop: (handle: number) => void) {
    this.#stop = stop;
  }

  /** The returned function gives up. */
  add(
    handle: number,
    who: Pick<PendingDial<Found>, "device" | "peerName" | "unless">,
  ): { session: Promise<Found>; cancel: () => void } {
    let cancel = (): void => {};
    const session = new Promise<Found>((resolve, reject) => {
      const dial: PendingDial<Found> = { ...who, resolve, reject, cancelled: false };
      this.#dials.set(handle, dial);
      cancel = () => {
        this.#stop(handle);
        this.#dials.delete(handle);
        dial.cancelled = true;
        reject(givenUp());
      };
    });
    return { session, cancel };
  }

  /** It has come to an end; undefined when it was cancelled before, or has ended with another one. */
  take(handle: number): PendingDial<Found> | undefined {
    const dial = this.#dials.get(handle);
    this.#dials.delete(handle);
    return dial;
  }

  /** One handshake with a device at a time (PROTOCOL.md §3): whoever else dials it gets the same session. */
  takeAll(device: string): PendingDial<Found>[] {
    const taken = [...this.#dials].filter(([, dial]) => dial.device === device);
    for (const [handle] of taken) {
      this.#stop(handle);
      this.#dials.delete(handle);
    }
    return taken.map(([, dial]) => dial);
  }

  rejectAll(error: Error): void {
    for (const dial of this.#dials.values()) dial.reject(error);
    this.#dials.clear();
  }
}

export function isWanted({ cancelled }: PendingDial<never>): boolean {
  return !cancelled;
}

/** All who dialled would rather have what they already have. */
export async function unneeded(dials: readonly PendingDial<never>[]): Promise<boolean> {
  for (const { unless } of dials) if (!(await unless?.())) return false;
  return true;
}

export function givenUp(): HandfastError {
  return new HandfastError("CANCELLED", "Connecting was given up.");
}

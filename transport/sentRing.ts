import type { SentPacket } from "./sentPacket.js";

const INITIAL_SLOTS = 8;

/** Packets in flight by number, in a ring that grows with the flight: no hashing, no garbage but the packets themselves. */
export class SentRing {
  #slots: (SentPacket | undefined)[] = [];
  /** No packet below this number is kept. */
  #low = 0;
  /** One above the highest number kept. */
  #end = 0;
  #count = 0;

  get size(): number {
    return this.#count;
  }

  /** Where an iteration over the kept numbers starts and (excluded) ends. */
  get low(): number {
    return this.#low;
  }

  get end(): number {
    return this.#end;
  }

  get(number: number): SentPacket | undefined {
    return number < this.#low || number >= this.#end ? undefined : this.#slots[number & (this.#slots.length - 1)];
  }

  /** Numbers only ever rise. */
  add(packet: SentPacket): void {
    if (this.#count === 0) this.#low = packet.number;
    const span = packet.number + 1 - this.#low;
    if (span > this.#slots.length) this.#grow(span);
    this.#slots[packet.number & (this.#slots.length - 1)] = packet;
    this.#end = packet.number + 1;
    this.#count++;
  }

  /** Takes a packet out; undefined when it is not kept. */
  take(number: number): SentPacket | undefined {
    const packet = this.get(number);
    if (!packet) return undefined;
    this.#slots[number & (this.#slots.length - 1)] = undefined;
    this.#count--;
    if (this.#count === 0) this.#low = this.#end;
    else while (this.#slots[this.#low & (this.#slots.length - 1)] === undefined) this.#low++;
    return packet;
  }

  #grow(span: number): void {
    let length = Math.max(INITIAL_SLOTS, this.#slots.length);
    while (length < span) length *= 2;
    const slots = new Array<SentPacket | undefined>(length).fill(undefined);
    for (let number = this.#low; number < this.#end; number++) slots[number & (length - 1)] = this.get(number);
    this.#slots = slots;
  }
}

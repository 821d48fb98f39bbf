import { nativeCrypto } from "#crypto/native.node.js";
import { Advertiser } from "#discovery/advertiser.js";
import type { LocalInterface } from "#discovery/localInterface.js";
import type { DnsPacket, DnsRecord, OutgoingPacket, PacketOrigin } from "#discovery/records.js";
import { SeededRandom } from "../simulation/seededRandom.js";

export const ETH: LocalInterface = { name: "eth0", subnets: [{ address: "10.0.0.1", prefix: 24 }] };
export const WLAN: LocalInterface = { name: "wlan0", subnets: [{ address: "10.0.9.1", prefix: 24 }] };
export const NEIGHBOUR: PacketOrigin = { interface: "eth0", address: "10.0.0.2", port: 5353 };
export const IRK: Uint8Array = new Uint8Array(16).fill(7);

export interface Sent {
  readonly at: number;
  readonly message: OutgoingPacket;
}

/** One machine on a table: time passes by hand, everything it sends is kept. */
export class Bench<Machine extends MachineOnBench> {
  now = 0;
  readonly machine: Machine;
  readonly sent: Sent[] = [];

  constructor(machine: Machine) {
    this.machine = machine;
    this.drain();
  }

  /** Lets `ms` pass and gives what was sent meanwhile. */
  advance(ms: number): Sent[] {
    const from = this.sent.length;
    const until = this.now + ms;
    this.drain();
    while (this.machine.deadline <= until) {
      this.now = Math.max(this.now, this.machine.deadline);
      this.machine.tick(this.now);
      this.drain();
    }
    this.now = until;
    return this.sent.slice(from);
  }

  drain(): void {
    for (let message = this.machine.nextMessage(); message; message = this.machine.nextMessage())
      this.sent.push({ at: this.now, message });
  }
}

interface MachineOnBench {
  tick(now: number): void;
  readonly deadline: number;
  nextMessage(): OutgoingPacket | undefined;
}

export function advertiserOnBench(
  seed = 1,
  interfaces: readonly LocalInterface[] = [ETH],
  facts: { readonly name?: string; readonly service?: string } = {},
): Bench<Advertiser> {
  const random = new SeededRandom(seed).bytes;
  const options = { crypto: nativeCrypto, random, irk: IRK, port: 4760, name: "Ana", service: "notes", ...facts };
  const bench = new Bench(new Advertiser({ ...options, now: 0 }));
  bench.machine.setInterfaces(interfaces, 0);
  bench.drain();
  return bench;
}

/** One that has announced itself and has been quiet for a while. */
export function announcedOnBench(seed = 1, interfaces?: readonly LocalInterface[]): Bench<Advertiser> {
  const bench = advertiserOnBench(seed, interfaces);
  bench.advance(10_000);
  return bench;
}

export function answersOf(sent: readonly Sent[]): DnsRecord[] {
  return sent.flatMap(({ message }) => (message.kind === "response" ? (message.packet.answers ?? []) : []));
}

export function typesOf(records: readonly DnsRecord[] | undefined): string {
  return (records ?? []).map(({ type }) => type).join(" ");
}

export function ask(bench: Bench<Advertiser>, packet: DnsPacket, origin: PacketOrigin = NEIGHBOUR): void {
  bench.machine.receive(packet, origin, false, bench.now);
  bench.drain();
}

export function hear(bench: Bench<Advertiser>, packet: DnsPacket, origin: PacketOrigin = NEIGHBOUR): void {
  bench.machine.receive(packet, origin, true, bench.now);
  bench.drain();
}

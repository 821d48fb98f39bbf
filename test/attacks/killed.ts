import assert from "node:assert/strict";
import type { Bond } from "#bonds/bond.js";
import type { BondStore } from "#bonds/store.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { Client } from "#device/client.js";
import type { Discovery } from "#device/discoveryPort.js";
import { Server } from "#device/server.js";
import { equalConstantTime } from "#kernel/bytes.js";
import type { Address, DatagramSocket } from "#kernel/ports.js";
import { SimulatedNetwork } from "../simulation/network.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { VirtualClock } from "../simulation/virtualClock.js";
import { Disk, Life } from "./crash.js";
import { PC, PHONE } from "./deviceStage.js";

const NOBODY: Discovery = {
  advertise: () => ({ setPairing: () => {}, close: async () => {} }),
  browse: () => ({ close: () => {} }),
  addresses: [],
  close: async () => {},
};
const FOREVER = Number.POSITIVE_INFINITY;
const OPTIONS = { platform: "test", service: "handfast" };

/** What was true after one of the two devices had been killed at one step, and both had tried again. */
export interface AfterKill {
  /** The killed device came to the step: otherwise there are no more steps. */
  readonly died: boolean;
  readonly tries: number;
}

/**
 * Two devices pair; `side` is killed at its `step`-th step (a datagram sent, or before or after a write) and started again.
 * Then their people go on as people do: connect, or open the window and pair again.
 */
export async function killAt(side: "pc" | "phone", step: number, seed: number): Promise<AfterKill> {
  const clock = new VirtualClock();
  const network = new SimulatedNetwork(clock, seed);
  const random = new SeededRandom(seed);
  const [pcDisk, phoneDisk] = [new Disk(random.bytes), new Disk(random.bytes)];
  const ports = (at: Address, store: BondStore, life: Life): ConstructorParameters<typeof Client>[0] => {
    const socket = mortal(network.socket(at), life);
    return { clock, random: random.bytes, crypto: nativeCrypto, socket, store, discovery: NOBODY };
  };
  const startPc = (life: Life): Server => {
    const server = new Server(ports(PC, pcDisk.mount(life), life), { name: "Ana's PC", ...OPTIONS });
    server.on("pairing", (request) => request.confirm());
    server.on("error", () => {});
    return server;
  };
  const startPhone = (life: Life, port: number): Client =>
    new Client(ports({ ...PHONE, port }, phoneDisk.mount(life), life), { name: "Ana's phone", ...OPTIONS });

  const life = new Life(step);
  let server = startPc(side === "pc" ? life : new Life(FOREVER));
  let client = startPhone(side === "phone" ? life : new Life(FOREVER), PHONE.port);
  let died = false;
  life.onDeath(() => {
    died = true;
  });
  const wait = (ms: number): Promise<boolean> => clock.runUntilAsync(() => false, ms);
  const tried = async (work: Promise<unknown>): Promise<boolean> => {
    let end: boolean | undefined;
    work.then(
      () => {
        end = true;
      },
      () => {
        end = false;
      },
    );
    await clock.runUntilAsync(() => end !== undefined || (died && side === "phone" && !life.alive), 130_000);
    return end ?? false;
  };
  server.openPairing();
  await tried(pairWith(client));
  await wait(1000);
  bothOrNone(pcDisk, phoneDisk);
  if (!died) return { died, tries: 0 };

  if (side === "pc") server = startPc(new Life(FOREVER));
  client = startPhone(new Life(FOREVER), PHONE.port + 1);
  died = false;
  for (let tries = 1; tries <= 4; tries++) {
    await wait(20_000);
    const [bond] = await client.bonds();
    if (!bond) server.openPairing();
    const ended = await tried(bond ? client.connect(bond, { timeoutMs: 10_000 }) : pairWith(client));
    await wait(1000);
    bothOrNone(pcDisk, phoneDisk);
    if (!ended) continue;
    assert.ok(usable(pcDisk.memory.bonds(), phoneDisk.memory.bonds()), "connected without a common confirmed bond");
    monotone(pcDisk);
    return { died: true, tries };
  }
  throw new Error(`killed at step ${step} of the ${side}, the two never came together again`);
}

function pairWith(client: Client): Promise<unknown> {
  return client.pair({ name: undefined, addresses: [PC] }, { compare: async () => true });
}

/** b.7: what the client holds, the PC can honour; what is final on the PC, the client holds. */
function bothOrNone(pcDisk: Disk, phoneDisk: Disk): void {
  const [onPc, onPhone] = [pcDisk.memory.bonds(), phoneDisk.memory.bonds()];
  for (const bond of onPhone) assert.ok(onPc.some(same(bond)), "the phone holds a bond that the PC lacks");
  for (const bond of onPc)
    if (bond.state === "confirmed")
      assert.ok(onPhone.some(same(bond)), "the PC's bond is final and the phone lacks it");
}

function usable(onPc: readonly Bond[], onPhone: readonly Bond[]): boolean {
  return onPhone.some(
    (bond) => bond.state === "confirmed" && onPc.some((one) => one.state === "confirmed" && same(bond)(one)),
  );
}

function same(bond: Bond): (other: Bond) => boolean {
  return (other) => equalConstantTime(other.secret.reveal(), bond.secret.reveal());
}

/** Counters never go back; only a success sets the failures to zero. */
function monotone({ counters }: Disk): void {
  for (const [i, now] of counters.entries()) {
    const before = counters[i - 1];
    if (!before) continue;
    assert.ok(now.windows >= before.windows, "a window was forgotten");
    assert.ok(now.failures >= before.failures || now.failures === 0, "a failure was forgotten");
  }
}

/** A socket that dies with its process: each datagram sent is a step. */
function mortal(socket: DatagramSocket, life: Life): DatagramSocket {
  return {
    port: socket.port,
    send: (bytes, to) => {
      if (!life.alive) return;
      socket.send(bytes, to);
      life.step();
    },
    onDatagram: (listener) =>
      socket.onDatagram((bytes, from) => {
        if (life.alive) listener(bytes, from);
      }),
    close: async () => {},
  };
}

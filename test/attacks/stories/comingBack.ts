import { MemoryBondStore } from "#bonds/memoryStore.js";
import { equalConstantTime, toHex } from "#kernel/bytes.js";
import { encodeMessage, TYPE } from "#pairing/messages.js";
import { EVE, pairingMessage, type Seen } from "../attacker.js";
import { DeviceStage, PC, PHONE } from "../deviceStage.js";
import { SEQ } from "../impostors.js";
import type { Outcome } from "../stage.js";

const INIT = 0xc0;
const RESPONSE = 0xd0;
const kindOf = ({ bytes }: Seen): number => (bytes[0] ?? 0) & 0xf0;
const isData = ({ bytes }: Seen): boolean => (bytes[0] ?? 0) >> 6 === 1;

/** A recorded first packet is sent again, alone: nothing at the PC may change. */
export async function replayInit(seed: number): Promise<Outcome> {
  const stage = new DeviceStage({ seed });
  await stage.pair();
  await stage.client.close();
  await stage.wait(200_000);
  const [before, bond] = [stage.accepted.length, stage.pcStore.bonds()[0]];
  const fresh = stage.wire.seen.filter((seen) => kindOf(seen) === INIT);
  for (const seen of fresh) stage.wire.replay(seen);
  await stage.wait(5000);
  const after = stage.pcStore.bonds()[0];
  const succeeded = stage.accepted.length > before || after?.lastSeenAt !== bond?.lastSeenAt;
  return { succeeded, why: `${fresh.length} Inits replayed, ${stage.accepted.length - before} sessions` };
}

/** Somebody copied the phone's state; the phone itself has connected twice since. */
export async function useCopiedBond(seed: number): Promise<Outcome> {
  const stage = new DeviceStage({ seed });
  await stage.pair();
  await stage.wait(2000);
  const copy = new MemoryBondStore(stage.random.bytes);
  copy.identity = () => stage.phoneStore.identity();
  for (const bond of stage.phoneStore.bonds()) await copy.put(bond);
  for (const port of [50_001, 50_002]) await stage.connect(stage.phone(stage.phoneStore, { ...PHONE, port }));
  const thief = await stage.connect(stage.phone(copy, EVE));
  return { succeeded: thief === "connected", why: thief };
}

/** The last pairing messages were seen, the handshake was not: the bond must give nothing yet. */
export async function useProvisionalBond(seed: number): Promise<Outcome> {
  const stage = new DeviceStage({ seed });
  stage.wire.intercept((seen) => (isData(seen) && seen.to.port === PC.port ? "drop" : undefined));
  await stage.pair();
  const states = stage.pcStore.bonds().map(({ state }) => state);
  const succeeded = stage.accepted.length > 0 || states.includes("confirmed");
  return { succeeded, why: `PC: ${states.join()}, ${stage.accepted.length} sessions` };
}

/** The packets of the first session that could hold a key or a ciphertext of ML-KEM never arrive: who recorded the pairing could wait for a quantum computer. */
export async function dropTheExchange(seed: number): Promise<Outcome> {
  const stage = new DeviceStage({ seed });
  stage.wire.intercept((seen) => (isData(seen) && seen.bytes.length > 1000 ? "drop" : undefined));
  const end = await stage.pair();
  await stage.wait(20_000);
  const kept = stage.phoneStore.bonds().map(({ postQuantum }) => postQuantum);
  return {
    succeeded: stage.accepted.length > 0,
    why: `${end}, ${stage.accepted.length} sessions, bonds: ${kept.join()}`,
  };
}

/** A bonded phone pairs again and the attacker cuts the wire at `cut`; afterwards the old bond must still work. */
export async function breakRepairing(seed: number, cut: number = TYPE.IDENTIFIED): Promise<Outcome> {
  const stage = new DeviceStage({ seed });
  await stage.pair();
  const old = stage.phoneStore.bonds()[0];
  let cutting = true;
  stage.wire.intercept((seen) => (cutting && pairingMessage(seen.bytes)?.type === cut ? "drop" : undefined));
  const again = await stage.pair();
  cutting = false;
  await stage.wait(70_000);
  // A new process, so that no session is left; with two bonds at the PC only one fits, and a device tries again.
  const restarted = stage.phone(stage.phoneStore, { ...PHONE, port: 50_001 });
  let end = await stage.connect(restarted, old);
  if (end !== "connected") end = await stage.connect(restarted, old);
  return { succeeded: end !== "connected", why: `pairing again: ${again}; the old bond: ${end}` };
}

/** Without the bond's secret, but with both identities known, somebody answers in the PC's place. */
export async function blameTheBond(seed: number): Promise<Outcome> {
  const stage = new DeviceStage({ seed });
  await stage.pair();
  const [bond] = stage.phoneStore.bonds();
  const pid = new Uint8Array(8);
  for (const reason of [0x05, 0x08, 0x0b, 0x14])
    for (const [from, to] of [
      [PC, PHONE],
      [PHONE, PC],
    ] as const)
      stage.wire.inject(encodeMessage({ type: TYPE.ABORT, pid, seq: SEQ.check, reason, retryAfter: 0 }), from, to);
  for (const seen of stage.wire.seen.filter((one) => pairingMessage(one.bytes) !== undefined)) stage.wire.replay(seen);
  await stage.wait(5000);
  const [after] = stage.phoneStore.bonds();
  const same = bond && after && equalConstantTime(bond.secret.reveal(), after.secret.reveal());
  return { succeeded: !same || after.state !== "confirmed", why: `the phone's bond is ${after?.state}` };
}

/** Different keys for each connection, whatever is replayed: their exporters. */
export async function sameKeysTwice(seed: number): Promise<Outcome> {
  const stage = new DeviceStage({ seed });
  await stage.pair();
  const responses = (): Seen[] => stage.wire.seen.filter((seen) => kindOf(seen) === RESPONSE);
  const [first] = responses();
  stage.wire.intercept((seen) => (kindOf(seen) === RESPONSE && first ? [first.bytes] : undefined));
  await stage.client.close();
  const bond = stage.phoneStore.bonds()[0];
  const client = stage.phone(stage.phoneStore, { ...PHONE, port: 50_001 });
  const end = await stage.connect(client, bond);
  return { succeeded: end === "connected", why: `${end}, ${toHex(first?.bytes.slice(0, 4) ?? new Uint8Array())}` };
}

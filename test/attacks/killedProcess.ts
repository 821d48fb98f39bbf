import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Bond } from "#bonds/bond.js";
import { FileBondStore } from "#bonds/fileStore.node.js";
import type { HandfastProcess } from "#cli/handfastProcess.node.js";
import { equalConstantTime } from "#kernel/bytes.js";
import { systemRandom } from "#transport/clock.node.js";
import { TwoDevices } from "../cli/devices.js";

// b.7 with real processes, sockets and disks: kill -9 on one side at each step that can be seen from outside.
// numbers.test.ts (killed.ts) does the same at every single step, on the simulated network.

export type Side = "pc" | "laptop";

/** Where the killed side was. `answered`: somewhere between both people's yes and the bond; its process alone knows. */
export const STEPS = ["asked", "said yes", "answered", "paired"] as const;

/** Two processes pair and one is killed; no counter goes back, no bond is worth nothing, and then they pair. */
export async function killProcessAt(t: TestContext, side: Side, step: (typeof STEPS)[number]): Promise<void> {
  const devices = new TwoDevices(t);
  const counters: { failures: number; windows: number }[] = [];
  const look = (): void => void counters.push(attemptsOf(devices));
  const { pc, peer } = await devices.share();
  look();
  const laptop = devices.join("--peer", peer);
  const [victim, other] = side === "pc" ? [pc, laptop] : [laptop, pc];
  await Promise.all([pc.next("pairing"), laptop.next("pairing")]);
  if (step !== "asked") victim.answer(true);
  if (step === "answered" || step === "paired") other.answer(true);
  if (step === "paired") await victim.next("paired");
  assert.equal(await victim.kill("SIGKILL"), "SIGKILL");
  look();
  if (step === "asked" || step === "said yes") assert.equal(counters.at(-1)?.failures, 1, "the attempt was counted");
  await other.kill("SIGINT");
  look();

  const { pc: again } = await devices.share("--pair", "--port", peer.split(":")[1] ?? "");
  sayYesTo(again);
  look();
  const back = devices.join("--once", "--peer", peer);
  sayYesTo(back);
  assert.equal(await back.ended, 0, back.written);
  await again.kill("SIGINT");
  look();
  for (const [i, now] of counters.entries()) {
    const before = counters[i - 1];
    assert.ok(!before || now.windows >= before.windows, "a window was forgotten");
    assert.ok(!before || now.failures >= before.failures || now.failures === 0, "a failure was forgotten");
  }
  const [onPc, onLaptop] = [await bondsOf(devices.pcState), await bondsOf(devices.laptopState)];
  for (const bond of onLaptop) assert.ok(onPc.some(same(bond)), "the laptop holds a bond that the PC lacks");
  assert.ok(onLaptop.some((bond) => bond.state === "confirmed" && onPc.some(same(bond))));
  for (const bond of onPc)
    assert.ok(bond.state === "provisional" || onLaptop.some(same(bond)), "the PC's bond is final, the laptop lacks it");
}

/** This device's person says yes whenever asked. */
function sayYesTo(device: HandfastProcess): void {
  device.onEvent(({ event }) => {
    if (event === "pairing") device.answer(true);
  });
}

function attemptsOf({ pcState }: TwoDevices): { failures: number; windows: number } {
  const path = join(pcState, "attempts.json");
  if (!existsSync(path)) return { failures: 0, windows: 0 };
  return (JSON.parse(readFileSync(path, "utf8")) as { data: { failures: number; windows: number } }).data;
}

/** Opened as the next start would: what a kill left must be whole. */
async function bondsOf(directory: string): Promise<readonly Bond[]> {
  const store = await FileBondStore.open({ directory, random: systemRandom });
  try {
    return store.bonds();
  } finally {
    await store.close();
  }
}

function same(bond: Bond): (other: Bond) => boolean {
  return (other) =>
    other.id === bond.id && equalConstantTime(other.lineage?.reveal() ?? NONE, bond.lineage?.reveal() ?? NONE);
}

const NONE = new Uint8Array(32);

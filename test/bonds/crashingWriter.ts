// Run as a process of its own: makes one more change to the state directory and dies of SIGKILL at the given step of the write.
import { randomBytes } from "node:crypto";
import process from "node:process";
import { type FileSteps, REAL_STEPS } from "#bonds/atomicFile.node.js";
import { FileBondStore } from "#bonds/fileStore.node.js";

const [directory = "", step = "", moment = "", change = ""] = process.argv.slice(2);

function die(): Promise<never> {
  process.kill(process.pid, "SIGKILL");
  return new Promise(() => {});
}

let armed = false;
const steps: FileSteps = {
  ...REAL_STEPS,
  [step]: async (...values: [never, never]) => {
    const real = REAL_STEPS[step as keyof FileSteps] as (...all: unknown[]) => Promise<unknown>;
    if (armed && moment === "before") return die();
    if (armed && moment === "half") await REAL_STEPS.write(values[0], String(values[1]).slice(0, 40));
    if (armed && moment === "half") return die();
    const result = await real(...values);
    return armed ? die() : result;
  },
};

const store = await FileBondStore.open({ directory, random: (n) => new Uint8Array(randomBytes(n)), steps });
const [bond] = store.bonds();
armed = true;
if (change === "attempts") await store.saveAttempts({ failures: 2, windows: 2 });
else if (bond) await store.update(bond.id, (old) => ({ ...old, generation: old.generation + 1 }));
process.exit(3);

import { createHash, randomBytes } from "node:crypto";
import { cp, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { UsageError } from "./exitCodes.js";
import { count, size } from "./words.js";

const MAX_FILES = 5000;
const MAX_BYTES = 500_000_000;

/** A folder for the demo: a copy of the person's, which is only read, or one made up here. */
export async function fillDemoFolder(target: string, source: string | undefined): Promise<void> {
  await mkdir(target, { recursive: true });
  if (source === undefined) return await makeUp(target);
  const root = resolve(source);
  if (!(await stat(root).catch(() => undefined))?.isDirectory()) throw new UsageError(`There is no folder ${root}.`);
  const files = await listFiles(root);
  let bytes = 0;
  for (const path of files) bytes += (await stat(join(root, path))).size;
  if (files.length > MAX_FILES || bytes > MAX_BYTES)
    throw new UsageError(
      `${root} has ${count(files.length, "file")} and ${size(bytes)}: too much for a demo that copies it first. Name a smaller folder, or use it for real: handfast share, handfast join.`,
    );
  for (const path of files) await cp(join(root, path), join(target, path), { preserveTimestamps: true });
}

/** True when both folders have the same files with the same content. */
export async function sameFiles(a: string, b: string): Promise<boolean> {
  const [left, right] = [await listFiles(a), await listFiles(b)];
  if (left.join("\n") !== right.join("\n")) return false;
  for (const path of left) if ((await hashOf(join(a, path))) !== (await hashOf(join(b, path)))) return false;
  return true;
}

async function makeUp(target: string): Promise<void> {
  for (let day = 1; day <= 20; day++) {
    const folder = join(target, "photos", `day-${String(day).padStart(2, "0")}`);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "sunrise.raw"), randomBytes(1_000_000));
    await writeFile(join(folder, "notes.txt"), `Day ${day}: up at ${4 + (day % 3)}, clear sky.\n`);
  }
  await writeFile(join(target, "journey.raw"), randomBytes(16_000_000));
  await writeFile(join(target, "plan.txt"), "Walk to the lake.\n");
}

/** Plain files below the folder, ours left out, sorted. */
async function listFiles(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .filter((path) => !path.startsWith(".handfast"))
    .sort();
}

async function hashOf(path: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
}

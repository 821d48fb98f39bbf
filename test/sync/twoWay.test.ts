import assert from "node:assert/strict";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { SeededRandom } from "../simulation/seededRandom.js";
import { withSeeds } from "../simulation/seeds.js";
import { randomDevice, syncBoth, TestFolder } from "../support/folders.js";

const NAMES = ["a", "b.txt", "c", "d/x", "d/y.txt", "d/e/z", "d", "c/q"];

/** People who do not know of one another, and every text that nobody has taken away on purpose. */
class History {
  readonly wanted = new Set<string>();
  readonly #random: SeededRandom;
  #texts = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  step(at: TestFolder): void {
    const kind = this.#random.integer(10);
    if (kind < 6) this.#write(at, this.#pick(NAMES));
    else if (kind < 8) this.#delete(at);
    else this.#rename(at);
  }

  #write(at: TestFolder, path: string): void {
    const files = at.files();
    // A person cannot do this either.
    if (files.some((file) => path.startsWith(`${file}/`) || file.startsWith(`${path}/`))) return;
    if (files.includes(path)) this.wanted.delete(at.read(path));
    const full = join(at.root, path);
    if (existsSync(full) && !files.includes(path)) rmSync(full, { recursive: true });
    const text = `${this.#texts++} ${"x".repeat(this.#random.integer(4000))}`;
    at.write(path, text);
    this.wanted.add(text);
  }

  #delete(at: TestFolder): void {
    const files = at.files();
    if (files.length === 0) return;
    const path = this.#pick(files);
    this.wanted.delete(at.read(path));
    rmSync(join(at.root, path));
  }

  #rename(at: TestFolder): void {
    const files = at.files();
    const to = this.#pick(NAMES);
    if (files.length === 0 || existsSync(join(at.root, to))) return;
    if (files.some((file) => to.startsWith(`${file}/`))) return;
    mkdirSync(dirname(join(at.root, to)), { recursive: true });
    renameSync(join(at.root, this.#pick(files)), join(at.root, to));
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#random.integer(items.length)] as T;
  }
}

test("devices that edit, delete and rename at random over a link that is cut end with the same files, and none is lost", async () => {
  await withSeeds(4, async (seed) => {
    const random = new SeededRandom(seed);
    const hub = new TestFolder("pc", randomDevice());
    const devices = [new TestFolder("one", randomDevice()), new TestFolder("two", randomDevice())];
    const history = new History(random);
    for (let step = 0; step < 12; step++) {
      for (const each of [hub, ...devices]) for (let n = random.integer(3); n > 0; n--) history.step(each);
      const device = devices[random.integer(2)] as TestFolder;
      await syncBoth(hub, device, random.chance(0.5) ? random.integer(12_000) : undefined);
    }
    for (let round = 0; round < 3; round++) for (const device of devices) await syncBoth(hub, device);
    const content = (at: TestFolder): string[][] => at.files().map((path) => [path, at.read(path)]);
    for (const device of devices) assert.deepEqual(content(device), content(hub));
    const live = new Set(hub.files().map((path) => hub.read(path)));
    for (const text of history.wanted) assert.ok(live.has(text), `lost: ${text.slice(0, 10)}`);
    assert.deepEqual(hub.temporary(), []);
  });
});

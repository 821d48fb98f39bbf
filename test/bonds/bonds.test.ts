import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import { type FileSteps, REAL_STEPS } from "#bonds/atomicFile.node.js";
import { BOND_LIMITS, type Bond, bondFromStored, bondToStored } from "#bonds/bond.js";
import { FileBondStore } from "#bonds/fileStore.node.js";
import { MemoryBondStore } from "#bonds/memoryStore.js";
import { Secret } from "#bonds/secret.js";
import type { BondStore } from "#bonds/store.js";
import { toBase64Url, toHex } from "#kernel/bytes.js";

const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newDirectory(): string {
  const folder = mkdtempSync(join(tmpdir(), "handfast-bonds-"));
  folders.push(folder);
  return join(folder, "state");
}

const open = (directory: string, steps: FileSteps = REAL_STEPS): Promise<FileBondStore> =>
  FileBondStore.open({ directory, random, steps });

function newBond(changes: Partial<Bond> = {}): Bond {
  return {
    id: toHex(random(16)),
    peerStatic: random(32),
    secret: new Secret(random(32)),
    irk: new Secret(random(16)),
    name: "Ada's phone",
    platform: "linux",
    scopes: ["sync"],
    state: "confirmed",
    createdAt: 1000,
    lastSeenAt: 2000,
    generation: 0,
    postQuantum: "none",
    addresses: [{ host: "fe80::1%eth0", port: 4760 }],
    ...changes,
  };
}

/** Everything that a store holds, secrets included, in comparable form. */
function contents(store: BondStore): unknown {
  const { staticSecret, irk, resetKey, name } = store.identity();
  return {
    identity: [staticSecret, irk, resetKey].map((secret) => toHex(secret.reveal())),
    name,
    bonds: store.bonds().map(bondToStored),
    tombstones: store.tombstones(),
    attempts: store.attempts(),
  };
}

test("everything comes back after a restart, byte for byte", async () => {
  const directory = newDirectory();
  const store = await open(directory);
  const [kept, forgotten] = [newBond(), newBond({ name: "lost" })];
  await Promise.all([store.put(kept), store.put(forgotten), store.setName("Kitchen PC")]);
  assert.equal(await store.remove(forgotten.id, 77), true);
  assert.equal(await store.remove("0".repeat(32), 77), false);
  await store.saveAttempts({ failures: 2, windows: 5 });
  const before = contents(store);
  await store.close();
  await assert.rejects(store.put(kept), { code: "STATE_CLOSED" });
  const again = await open(directory);
  assert.deepEqual(contents(again), before);
  assert.deepEqual(again.bonds().map(bondToStored), [bondToStored(kept)]);
  assert.deepEqual(again.tombstones(), [{ peerStatic: forgotten.peerStatic, name: "lost", forgottenAt: 77 }]);
  assert.equal(again.identity().name, "Kitchen PC");
  await again.close();
});

for (const kind of ["memory", "file"] as const) {
  test(`${kind}: rules of bonds and tombstones`, async () => {
    const store: BondStore = kind === "memory" ? new MemoryBondStore(random) : await open(newDirectory());
    const old = newBond();
    await store.put(old);
    await store.put({ ...old, state: "provisional", lastSeenAt: 3000 });
    assert.equal(store.bonds()[0]?.state, "confirmed", "a confirmed bond never goes back");
    assert.equal(store.bonds()[0]?.lastSeenAt, 3000);
    const newer = newBond({ peerStatic: old.peerStatic, state: "provisional" });
    await store.put(newer);
    assert.equal(store.bonds().length, 2, "the old bond works until the newer is confirmed");
    assert.equal(await store.drop(old.id), true);
    assert.equal(store.tombstones().length, 0);
    await store.put(old);
    await store.remove(newer.id, 9);
    assert.equal(store.bonds().length, 0, "forgetting a device forgets all of its bonds");
    assert.equal(store.tombstones().length, 1);
    assert.equal(await store.update(newer.id, (bond) => bond), undefined, "a late change brings nothing back");
    assert.equal(store.tombstones().length, 1);
    const again = newBond({ peerStatic: old.peerStatic });
    await store.put(again);
    assert.equal(store.tombstones().length, 0, "paired again");
    const count = (bond: Bond): Bond => ({ ...bond, generation: bond.generation + 1, peerStatic: random(32) });
    const both = await Promise.all([store.update(again.id, count), store.update(again.id, count)]);
    assert.deepEqual(
      both.map((bond) => bond?.generation),
      [1, 2],
      "each change sees the one before",
    );
    assert.deepEqual(store.bonds()[0]?.peerStatic, old.peerStatic);
    assert.equal(await store.update(again.id, () => undefined), undefined);
    await store.close();
  });
}

test("limits: the last that fits and the first that does not", async () => {
  const store = new MemoryBondStore(random);
  for (let i = 0; i < BOND_LIMITS.bonds; i++) await store.put(newBond());
  await assert.rejects(store.put(newBond()), { code: "STATE_FULL" });
  const first = store.bonds()[0];
  assert.ok(first);
  await store.put({ ...first, name: "same id still fits" });
  const fits: readonly Partial<Bond>[] = [
    { name: "n".repeat(64) },
    { platform: "p".repeat(32) },
    { scopes: Array.from({ length: 16 }, () => "s".repeat(64)) },
    { addresses: Array.from({ length: 8 }, () => ({ host: "10.0.0.1", port: 65535 })) },
  ];
  for (const change of fits) await store.put({ ...first, ...change });
  const misfits: readonly Partial<Bond>[] = [
    { name: `${"n".repeat(63)}ü` },
    { name: "\ud800" },
    { platform: "p".repeat(33) },
    { scopes: Array.from({ length: 17 }, () => "s") },
    { scopes: ["s".repeat(65)] },
    { addresses: Array.from({ length: 9 }, () => ({ host: "10.0.0.1", port: 1 })) },
    { addresses: [{ host: "10.0.0.1", port: 65536 }] },
    { addresses: [{ host: "a b", port: 1 }] },
    { peerStatic: new Uint8Array(31) },
    { secret: new Secret(new Uint8Array(33)) },
    { next: new Secret(new Uint8Array(31)) },
    { lineage: new Secret(new Uint8Array(33)) },
    { irk: new Secret(new Uint8Array(15)) },
    { createdAt: -1 },
    { generation: 0.5 },
    { id: "zz" },
  ];
  for (const change of misfits) await assert.rejects(store.put({ ...first, ...change }), RangeError);
});

test("tombstones: the oldest goes first", async () => {
  const store = new MemoryBondStore(random);
  for (let i = 0; i <= BOND_LIMITS.tombstones; i++) {
    const bond = newBond();
    await store.put(bond);
    await store.remove(bond.id, i);
  }
  assert.equal(store.tombstones().length, BOND_LIMITS.tombstones);
  assert.equal(store.tombstones()[0]?.forgottenAt, 1);
});

const STEPS = ["create", "write", "sync", "rename", "syncDirectory"] as const;
for (const step of STEPS) {
  test(`a write that fails at ${step} leaves the old file or the new one, and the store goes on`, async () => {
    const directory = newDirectory();
    let failing = false;
    const failure = (): never => {
      throw Object.assign(new Error("disk"), { code: "EIO" });
    };
    const steps: FileSteps = {
      ...REAL_STEPS,
      [step]: async (...values: [never, never]) => {
        if (step === "write" && failing) await REAL_STEPS.write(values[0], `${String(values[1]).slice(0, 40)}`);
        return failing ? failure() : await (REAL_STEPS[step] as (...all: never[]) => Promise<unknown>)(...values);
      },
    };
    const store = await open(directory, steps);
    const [old, lost, later] = [newBond(), newBond(), newBond()];
    await store.put(old);
    failing = true;
    await assert.rejects(store.put(lost), { code: "STATE_UNWRITABLE" });
    assert.deepEqual(
      store.bonds().map(({ id }) => id),
      [old.id],
    );
    const file = JSON.parse(readFileSync(join(directory, "bonds.json"), "utf8"));
    const ids = file.data.bonds.map(({ id }: Bond) => id);
    assert.deepEqual(ids, step === "syncDirectory" ? [old.id, lost.id] : [old.id]);
    assert.deepEqual(readdirSync(directory).sort(), ["attempts.json", "bonds.json", "identity.json", "lock"]);
    failing = false;
    await store.put(later);
    await store.close();
    const again = await open(directory);
    assert.deepEqual(
      again.bonds().map(({ id }) => id),
      [old.id, later.id],
    );
    await again.close();
  });
}

test("an interrupted first start begins again; a half-written temp file is never read", async () => {
  for (let allowed = 0; allowed < 3; allowed++) {
    const directory = newDirectory();
    let renames = 0;
    const rename = async (from: string, to: string): Promise<void> => {
      if (renames++ >= allowed) throw Object.assign(new Error("power"), { code: "EIO" });
      await REAL_STEPS.rename(from, to);
    };
    const remove = async (path: string): Promise<void> => {
      if (renames === 0) await REAL_STEPS.remove(path); // a crash would not clean up either
    };
    await assert.rejects(open(directory, { ...REAL_STEPS, rename, remove }), { code: "STATE_UNWRITABLE" });
    const store = await open(directory);
    assert.equal(store.bonds().length, 0);
    await store.close();
    assert.equal(readdirSync(directory).length, 3);
  }
});

test("kill -9 at each step of a write: the old file or the new one, and the next start goes on", async () => {
  const writer = fileURLToPath(new URL("crashingWriter.js", import.meta.url));
  const moments = STEPS.flatMap((step) =>
    ["before", "after", ...(step === "write" ? ["half"] : [])].map((at) => [step, at]),
  );
  for (const [step = "", moment = ""] of moments) {
    const directory = newDirectory();
    const store = await open(directory);
    await store.put(newBond());
    await store.saveAttempts({ failures: 1, windows: 1 });
    await store.close();
    for (const change of ["bond", "attempts"]) {
      const { signal } = spawnSync(process.execPath, [writer, directory, step, moment, change]);
      assert.equal(signal, "SIGKILL", `${step} ${moment}`);
      const again = await open(directory);
      const renamed = step === "syncDirectory" || (step === "rename" && moment === "after");
      if (change === "bond") assert.equal(again.bonds()[0]?.generation, renamed ? 1 : 0, `${step} ${moment}`);
      else assert.equal(again.attempts().failures, renamed ? 2 : 1, `${step} ${moment}`);
      await again.close();
      assert.deepEqual(readdirSync(directory).sort(), ["attempts.json", "bonds.json", "identity.json"]);
    }
  }
});

test("a file of version 1 is read, and the next change writes version 2", async () => {
  const directory = newDirectory();
  const bond = newBond();
  const store = await open(directory);
  await store.put(bond);
  await store.close();
  const { postQuantum: _, ...stored } = bondToStored(bond);
  writeFileSync(bondsPath(directory), sealed("bonds", { bonds: [stored], tombstones: [] }, 1));
  const again = await open(directory);
  assert.deepEqual(again.bonds().map(bondToStored), [bondToStored(bond)]);
  await again.setName("x");
  assert.match(bonds(directory), /"version":1,/, "reading changes nothing");
  await again.update(bond.id, (old) => ({ ...old, lastSeenAt: 5 }));
  assert.match(bonds(directory), /"version":2,/);
  await again.close();
  const next = toBase64Url(random(32));
  writeFileSync(bondsPath(directory), sealed("bonds", { bonds: [{ ...stored, next }], tombstones: [] }, 1));
  await assert.rejects(open(directory), { code: "STATE_CORRUPT" }, "version 1 knew no such field");
});

test("the directory and its files are for the owner only, whatever the umask", async () => {
  const before = process.umask(0);
  const directory = newDirectory();
  try {
    const store = await open(directory);
    assert.equal(statSync(directory).mode & 0o777, 0o700);
    for (const name of readdirSync(directory)) assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600, name);
    await store.close();
  } finally {
    process.umask(before);
  }
});

/** A state file with any data and a checksum that fits. */
function sealed(kind: string, data: unknown, version: unknown = 2): string {
  const sha256 = createHash("sha256").update(JSON.stringify(data)).digest("hex");
  return JSON.stringify({ format: `handfast ${kind}`, version, sha256, data });
}

type Damage = readonly [what: string, code: string, damage: (directory: string) => void];
const bondsPath = (directory: string): string => join(directory, "bonds.json");
const bonds = (directory: string): string => readFileSync(bondsPath(directory), "utf8");
const damages: readonly Damage[] = [
  ["truncated", "STATE_CORRUPT", (d) => writeFileSync(bondsPath(d), bonds(d).slice(0, -20))],
  ["empty", "STATE_CORRUPT", (d) => writeFileSync(bondsPath(d), "")],
  ["one letter changed", "STATE_CORRUPT", (d) => writeFileSync(bondsPath(d), bonds(d).replace("phone", "phona"))],
  ["not an object", "STATE_CORRUPT", (d) => writeFileSync(bondsPath(d), "[]")],
  [
    "unknown field",
    "STATE_CORRUPT",
    (d) => writeFileSync(bondsPath(d), bonds(d).replace('"version"', '"x":1,"version"')),
  ],
  [
    "unknown field under a good checksum",
    "STATE_CORRUPT",
    (d) => writeFileSync(bondsPath(d), sealed("bonds", { bonds: [], tombstones: [], more: 1 })),
  ],
  ["too large", "STATE_CORRUPT", (d) => writeFileSync(bondsPath(d), " ".repeat(1024 * 1024) + bonds(d))],
  ["missing bonds", "STATE_CORRUPT", (d) => rmSync(bondsPath(d))],
  ["missing identity", "STATE_CORRUPT", (d) => rmSync(join(d, "identity.json"))],
  ["missing attempts", "STATE_CORRUPT", (d) => rmSync(join(d, "attempts.json"))],
  ["foreign", "STATE_FOREIGN", (d) => writeFileSync(bondsPath(d), '{"name":"other","version":1}')],
  [
    "the wrong one of ours",
    "STATE_FOREIGN",
    (d) => writeFileSync(bondsPath(d), readFileSync(join(d, "attempts.json"))),
  ],
  ["newer", "STATE_NEWER", (d) => writeFileSync(bondsPath(d), sealed("bonds", {}, 3))],
  ["version 0", "STATE_CORRUPT", (d) => writeFileSync(bondsPath(d), sealed("bonds", { bonds: [], tombstones: [] }, 0))],
  ["group can read", "STATE_READABLE_BY_OTHERS", (d) => chmodSync(bondsPath(d), 0o640)],
  ["others can read the identity", "STATE_READABLE_BY_OTHERS", (d) => chmodSync(join(d, "identity.json"), 0o604)],
  ["others can enter", "STATE_READABLE_BY_OTHERS", (d) => chmodSync(d, 0o711)],
  [
    "a symbolic link",
    "STATE_CORRUPT",
    (d) => {
      writeFileSync(join(d, "elsewhere"), bonds(d), { mode: 0o600 });
      rmSync(bondsPath(d));
      symlinkSync("elsewhere", bondsPath(d));
    },
  ],
];

test("damage is refused with its own code, nothing is changed, no key is quoted, and the lock is free again", async () => {
  for (const [what, code, damage] of damages) {
    const directory = newDirectory();
    const store = await open(directory);
    const bond = newBond();
    await store.put(bond);
    await store.saveAttempts({ failures: 1, windows: 1 });
    await store.close();
    damage(directory);
    const before = readdirSync(directory).sort();
    for (const _ of [1, 2])
      await assert.rejects(open(directory), (error: Error & { code: string }) => {
        assert.equal(error.code, code, what);
        assert.ok(!inspect(error).includes(toBase64Url(bond.secret.reveal()).slice(0, 10)), what);
        return true;
      });
    assert.deepEqual(readdirSync(directory).sort(), before, what);
  }
});

test("one directory, one program: a live holder is named, a dead one is replaced", async () => {
  const directory = newDirectory();
  const store = await open(directory);
  await assert.rejects(open(directory), { code: "STATE_IN_USE", message: /in use by this program.*Stop/ });
  await store.close();

  const other = spawn(process.execPath, ["-e", "setInterval(() => {}, 1e6); console.log('up')"]);
  await once(other.stdout, "data");
  const boot = readBootId();
  writeFileSync(join(directory, "lock"), `${other.pid} ${boot}\n`, { mode: 0o600 });
  await assert.rejects(open(directory), { code: "STATE_IN_USE", message: new RegExp(`process ${other.pid}`) });
  assert.ok(existsSync(join(directory, "lock")));
  other.kill("SIGKILL");
  await once(other, "exit");

  const gone = spawnSync(process.execPath, ["-e", ""]).pid;
  const stale = [
    `${other.pid} ${boot}\n`,
    `${gone} ${boot}\n`,
    `${process.ppid} another-boot\n`,
    `${process.pid} ${boot}\n`,
    "nonsense",
    "",
  ];
  for (const text of stale) {
    writeFileSync(join(directory, "lock"), text, { mode: 0o600 });
    const taken = await open(directory);
    assert.match(readFileSync(join(directory, "lock"), "utf8"), new RegExp(`^${process.pid} `));
    await taken.close();
    assert.deepEqual(readdirSync(directory).sort(), ["attempts.json", "bonds.json", "identity.json"], text);
  }
});

function readBootId(): string {
  return existsSync("/proc/sys/kernel/random/boot_id")
    ? readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()
    : "-";
}

test("secrets do not show by accident, and a bond survives its stored form", () => {
  const bond = newBond();
  const text = [inspect(bond, { depth: 9, showHidden: true }), JSON.stringify(bond), `${bond.secret}`].join("\n");
  for (const secret of [bond.secret, bond.irk]) {
    const bytes = secret.reveal();
    for (const form of [toHex(bytes), toBase64Url(bytes), bytes.join(","), bytes.join(", ").slice(0, 20)])
      assert.ok(!text.includes(form));
  }
  assert.match(text, /\[secret\]/);
  const stored = bondToStored({ ...bond, next: new Secret(random(32)), lineage: new Secret(random(32)) });
  assert.deepEqual(bondToStored(bondFromStored(stored)), stored);
  for (const field of Object.keys(stored)) {
    assert.throws(() => bondFromStored({ ...stored, [field]: null }), RangeError, field);
    const { [field]: _, ...rest } = stored;
    if (field !== "next" && field !== "lineage") assert.throws(() => bondFromStored(rest), RangeError, field);
  }
  assert.throws(() => bondFromStored({ ...stored, more: 1 }), RangeError);
});

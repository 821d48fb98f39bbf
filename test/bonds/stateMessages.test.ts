import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, type TestContext, test } from "node:test";
import { FileBondStore } from "#bonds/fileStore.node.js";
import { systemRandom } from "#transport/clock.node.js";

// PROTOCOL.md §4 as the person at the command line meets it.

interface Damage {
  readonly what: string;
  readonly code: string;
  /** What to do, in the sentence that the person reads. */
  readonly advice: RegExp;
  readonly damage: (state: string) => void;
}

const inBonds = (change: (text: string) => string) => (state: string) => {
  const path = join(state, "bonds.json");
  writeFileSync(path, change(readFileSync(path, "utf8")));
};

const DAMAGES: readonly Damage[] = [
  {
    ...{
      what: "truncated",
      code: "STATE_CORRUPT",
      advice: /Restore it from a backup, or move the whole directory away/,
    },
    damage: inBonds((text) => text.slice(0, text.length / 2)),
  },
  {
    ...{ what: "empty", code: "STATE_CORRUPT", advice: /Restore it from a backup/ },
    damage: inBonds(() => ""),
  },
  {
    ...{ what: "missing", code: "STATE_CORRUPT", advice: /Restore it from a backup/ },
    damage: (state) => rmSync(join(state, "bonds.json")),
  },
  {
    ...{ what: "newer", code: "STATE_NEWER", advice: /newer Handfast.*Update Handfast/ },
    damage: inBonds((text) => text.replace(/"version":\d+/, '"version":99')),
  },
  {
    ...{ what: "foreign", code: "STATE_FOREIGN", advice: /another program\. Choose another state directory/ },
    damage: inBonds(() => '{"name":"somebody else\'s file"}'),
  },
  {
    ...{ what: "world-readable", code: "STATE_READABLE_BY_OTHERS", advice: /Other users.*chmod 600/ },
    damage: (state) => chmodSync(join(state, "bonds.json"), 0o644),
  },
];

describe("a bond file that is wrong: the person reads what to do, exit 1, and not a byte is changed", {
  concurrency: 3,
}, () => {
  for (const { what, code, advice, damage } of DAMAGES)
    test(what, { skip: process.platform === "win32" && what === "world-readable" && "no modes there" }, async (t) => {
      const { state, folder } = await deviceWith(t);
      damage(state);
      const before = filesIn(state);
      const prose = await handfast("share", folder, "--port", "0", "--interface", "lo", "--state", state);
      assert.equal(prose.status, 1, prose.err);
      assert.match(prose.err, advice);
      assert.ok(prose.err.includes(join(state, "bonds.json")), "it is said which file");
      const json = await handfast("devices", "--json", "--state", state);
      assert.equal(json.status, 1);
      assert.equal((JSON.parse(json.out) as { code: string }).code, code);
      assert.deepEqual(filesIn(state), before);
    });
});

test("a bond file of the version before is taken without a word", async (t) => {
  const { state } = await deviceWith(t);
  inBonds((text) => text.replace(/"version":2/, '"version":1'))(state);
  const { status, err } = await handfast("devices", "--state", state);
  assert.deepEqual([status, /handfast:/.test(err)], [0, false]);
});

async function deviceWith(t: TestContext): Promise<{ readonly state: string; readonly folder: string }> {
  const base = mkdtempSync(join(tmpdir(), "handfast-state-"));
  t.after(() => rmSync(base, { recursive: true }));
  const [state, folder] = [join(base, "state"), join(base, "folder")];
  mkdirSync(folder);
  await (await FileBondStore.open({ directory: state, random: systemRandom })).close();
  return { state, folder };
}

/** Name → content. */
function filesIn(state: string): Record<string, string> {
  return Object.fromEntries(readdirSync(state).map((name) => [name, readFileSync(join(state, name), "utf8")]));
}

async function handfast(...args: readonly string[]): Promise<{ status: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, ["dist/src/cli/main.node.js", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { status, out, err };
}

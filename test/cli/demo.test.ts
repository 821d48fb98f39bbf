import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";

async function start(
  args: readonly string[],
  env: Record<string, string>,
): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, ["dist/src/cli/main.node.js", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  const read = async (stream: NodeJS.ReadableStream): Promise<string> => {
    let text = "";
    for await (const chunk of stream) text += chunk;
    return text;
  };
  const [out, err, code] = await Promise.all([
    read(child.stdout),
    read(child.stderr),
    new Promise<number | null>((resolve) => child.on("close", resolve)),
  ]);
  return { code, out, err };
}

describe("the demo", { concurrency: 2 }, () => {
  test("npm start without a terminal shows everything and exits 0", async () => {
    const { code, out, err } = await start([], { npm_lifecycle_event: "start" });
    assert.equal(code, 0, err + out);
    const steps = ["found", "paired", "synced", "changed", "rekeyed", "cut"];
    for (const step of steps) assert.match(out, new RegExp(`^  ${step} `, "m"));
    const [, digits] = /both screens showed (\d{3} \d{3}); there is no terminal/.exec(out) ?? [];
    assert.ok(digits);
    assert.match(err, new RegExp(`│ +${digits} +│ +${digits} +│`));
  });

  test("the demo of a folder leaves that folder alone", async () => {
    const folder = mkdtempSync(join(tmpdir(), "handfast-mine-"));
    try {
      writeFileSync(join(folder, "mine.txt"), "mine");
      const { code, out, err } = await start(["demo", folder, "--json"], {});
      assert.equal(code, 0, err + out);
      assert.deepEqual(readdirSync(folder), ["mine.txt"]);
      const events = out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as { event: string; name: string });
      assert.deepEqual(
        events.map(({ name }) => name),
        ["found", "paired", "synced", "changed", "rekeyed", "cut"],
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("demo mitm: the look-alike falls, Handfast does not, and a script can tell", async () => {
    const { code, out, err } = await start(["demo", "mitm", "--json"], {});
    assert.equal(code, 0, err);
    const steps = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { name: string; text: string });
    assert.deepEqual(
      steps.map(({ name }) => name),
      ["lookAlike", "honest", "search"],
    );
    assert.match(steps[0]?.text ?? "", /agree/);
    assert.match(steps[1]?.text ?? "", /differ/);
    assert.match(steps[2]?.text ?? "", /POSSIBLE_ATTACK/);
  });
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

test("the tests that PROTOCOL.md §15 names exist", () => {
  const [, section = ""] = readFileSync("transport/PROTOCOL.md", "utf8").split("## 15.");
  const named = [...section.matchAll(/`([\w/]+)`: ([^;|]+?) ?(?=[;|])/g)];
  assert.ok(named.length > 50);
  for (const [, file = "", words = ""] of named) {
    const path = file.includes("/") ? `test/${file}.test.ts` : `test/transport/${file}.test.ts`;
    assert.ok(readFileSync(path, "utf8").includes(words), `${path} has no test "${words}"`);
  }
});

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

const readme = readFileSync("README.md", "utf8");

test("the README's programs are the ones that the tests run", () => {
  for (const name of ["server", "client"])
    assert.ok(readme.includes(readFileSync(`test/examples/${name}.ts`, "utf8").trimEnd()), `${name}.ts differs`);
});

test("every script, folder and file that the README names exists", () => {
  const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };
  for (const [, script] of readme.matchAll(/npm run ([\w:]+)/g)) assert.ok(scripts[script ?? ""], `npm run ${script}`);
  for (const [, path] of readme.matchAll(/\]\(([^)#:]+)\)/g)) assert.ok(existsSync(path ?? ""), path);
  for (const [, path] of readme.matchAll(/`((?:src|test|tools|discovery|transport)[\w/.-]*)`/g))
    assert.ok(existsSync(path ?? ""), path);
});

test("each dependency has its reason in the README", () => {
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync("package.json", "utf8")) as {
    dependencies: Record<string, string>;
    optionalDependencies?: Record<string, string>;
  };
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies }))
    assert.ok(readme.includes(`\`${name}\``), `no reason for ${name}`);
});

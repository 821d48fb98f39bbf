import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";

/** Layers from the bottom up: an import may only go to a lower line. Folders on one line do not know each other. */
const LAYERS: readonly (readonly string[])[] = [
  ["src/kernel"],
  ["src/crypto"],
  ["src/pairing", "src/bonds", "discovery", "transport"],
  ["src/sync", "src/tunnel"],
  ["src/device"],
  ["src/cli", "src/web"],
];
const ROOTS = ["src", "discovery", "transport"];
/** The public entry points: they re-export and nothing else. */
const ENTRIES = ["src/index.ts", "src/node.ts", "src/testing.ts"];
const MAX_LINES = 300;

const files = ROOTS.flatMap((root) => (readdirSync(root, { recursive: true }) as string[]).map((f) => join(root, f)))
  .map((file) => file.replaceAll("\\", "/"))
  .filter((file) => file.endsWith(".ts"));
const aliases = Object.entries(
  (JSON.parse(readFileSync("package.json", "utf8")) as { imports: Record<string, string> }).imports,
).map(([from, to]) => [from.replace("*", ""), to.replace("./dist/", "").replace("*", "")] as const);

const isAdapter = (file: string): boolean => file.endsWith(".node.ts") || file === "src/node.ts";
const areaOf = (file: string): string =>
  file.startsWith("src/") ? file.split("/").slice(0, 2).join("/") : (file.split("/")[0] ?? "");
const layerOf = (file: string): number => LAYERS.findIndex((areas) => areas.includes(areaOf(file)));

function specifiers(file: string): string[] {
  const text = readFileSync(file, "utf8");
  const named = /^(?:import|export)\b[^;"']*?\bfrom "([^"]+)"|^import "([^"]+)"|\bimport\("([^"]+)"\)/gm;
  return [...text.matchAll(named)].map((match) => match[1] ?? match[2] ?? match[3] ?? "");
}

/** The source file an import names, or undefined for a package. */
function target(file: string, specifier: string): string | undefined {
  const alias = aliases.find(([from]) => specifier.startsWith(from));
  const path = alias
    ? alias[1] + specifier.slice(alias[0].length)
    : specifier.startsWith(".")
      ? normalize(join(dirname(file), specifier)).replaceAll("\\", "/")
      : undefined;
  return path?.replace(/\.js$/, ".ts");
}

const graph = new Map(
  files.map((file) => [file, specifiers(file).flatMap((each) => target(file, each) ?? [])] as const),
);

test("every import names a file that exists", () => {
  for (const [file, imports] of graph)
    for (const each of imports) assert.ok(existsSync(each), `${file} imports ${each}`);
});

test("imports go down the layers, never up and never sideways", () => {
  const wrong: string[] = [];
  for (const [file, imports] of graph) {
    if (ENTRIES.includes(file)) continue;
    assert.notEqual(layerOf(file), -1, `${file} belongs to no layer`);
    for (const each of imports)
      if (areaOf(each) !== areaOf(file) && layerOf(each) >= layerOf(file)) wrong.push(`${file} → ${each}`);
  }
  assert.deepEqual(wrong, []);
});

test("no file reaches itself through its imports", () => {
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, trail: readonly string[]): void => {
    if (trail.includes(file)) circles.push([...trail.slice(trail.indexOf(file)), file].join(" → "));
    if (done.has(file)) return;
    done.add(file);
    for (const each of graph.get(file) ?? []) visit(each, [...trail, file]);
  };
  for (const file of files) visit(file, []);
  assert.deepEqual(circles, []);
});

test("only adapters import node: modules, and portable code imports no adapter", () => {
  const wrong: string[] = [];
  for (const file of files.filter((each) => !isAdapter(each))) {
    for (const each of specifiers(file)) if (each.startsWith("node:")) wrong.push(`${file} → ${each}`);
    for (const each of graph.get(file) ?? []) if (isAdapter(each)) wrong.push(`${file} → ${each}`);
  }
  assert.deepEqual(wrong, []);
});

test("no default exports, and no file has grown out of hand", () => {
  for (const file of files) {
    const text = readFileSync(file, "utf8");
    assert.doesNotMatch(text, /^export default/m, file);
    const lines = text.split("\n").length;
    assert.ok(lines <= MAX_LINES, `${file} has ${lines} lines: which second concept hides in it?`);
  }
});

test("every section of a PROTOCOL.md that the code cites exists", () => {
  const missing: string[] = [];
  for (const file of files) {
    for (const [, path, list] of readFileSync(file, "utf8").matchAll(
      /((?:[\w-]+\/)*)PROTOCOL\.md ((?:§\d+(?:\.\d+)?(?:, | and | to )?)+)/g,
    )) {
      const spec = protocolFile(file, path ?? "");
      const headings = existsSync(spec) ? readFileSync(spec, "utf8") : "";
      for (const [, number] of (list ?? "").matchAll(/§(\d+(?:\.\d+)?)/g))
        if (!new RegExp(`^#{2,4} ${number?.replace(".", "\\.")}[. ]`, "m").test(headings))
          missing.push(`${file}: ${spec} §${number}`);
    }
  }
  assert.deepEqual(missing, []);
});

/** `PROTOCOL.md` is the one beside the code; `device/PROTOCOL.md` and `src/device/PROTOCOL.md` are that folder's. */
function protocolFile(file: string, path: string): string {
  if (path === "") return `${areaOf(file)}/PROTOCOL.md`;
  return existsSync(`${path}PROTOCOL.md`) ? `${path}PROTOCOL.md` : `src/${path}PROTOCOL.md`;
}

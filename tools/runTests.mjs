// Runs every compiled test file below dist/test (node 20 takes no recursive globs), or only those whose path contains one of the arguments.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import process from "node:process";

// Suites with their own npm script: longer, or in need of root.
const separate = ["dist/test/lab/", "dist/test/soak/"];
const wanted = process.argv.slice(2);
const files = readdirSync("dist/test", { recursive: true })
  .map((name) => `dist/test/${name}`.replaceAll("\\", "/"))
  .filter((name) => name.endsWith(".test.js"))
  .filter((name) =>
    wanted.length > 0
      ? wanted.some((part) => name.includes(part))
      : !separate.some((folder) => name.startsWith(folder)),
  )
  .sort();
if (files.length === 0) {
  console.error("No test file matches; build first with: npm run build");
  process.exit(1);
}
// Of a file; the suites of their own have some that walk for minutes.
const timeoutMs = files.every((name) => separate.some((folder) => name.startsWith(folder))) ? 1_200_000 : 150_000;
const concurrency = Math.max(2, availableParallelism());
const run = spawnSync(
  process.execPath,
  ["--test", `--test-timeout=${timeoutMs}`, `--test-concurrency=${concurrency}`, ...files],
  {
    stdio: "inherit",
  },
);
process.exit(run.status ?? 1);

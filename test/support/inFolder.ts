import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder for one story, gone afterwards. */
export async function inFolder(story: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "handfast-"));
  try {
    await story(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

import { type Dirent, type FSWatcher, type Stats, statSync, watch } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, join, relative, sep } from "node:path";
import process from "node:process";
import { look } from "./disk.node.js";
import { OWN_FOLDER } from "./relativePath.js";

/** Systems that watch a whole tree by themselves. Elsewhere each folder has a watch, which tells of its files as well. */
const WHOLE_TREE = process.platform === "darwin" || process.platform === "win32";

export interface TreeListener {
  /** Something happened to what is, or was, at this absolute path. */
  readonly onPath: (path: string) => void;
  /** Something happened to files that nobody can name, as when a folder is moved away. */
  readonly onUnnamed: () => void;
}

/** Hears what happens below a folder; our own folder in it is left out. PROTOCOL.md §7. */
export class WatchedTree {
  readonly #root: string;
  readonly #listener: TreeListener;
  readonly #folders = new Map<string, { readonly inode: number; readonly watcher: FSWatcher }>();
  /** Resolves when every folder that is there is watched. */
  readonly ready: Promise<void>;
  #closed = false;

  constructor(root: string, listener: TreeListener) {
    this.#root = root;
    this.#listener = listener;
    this.ready = this.#add(root, false);
  }

  close(): void {
    this.#closed = true;
    this.#remove(this.#root);
  }

  /** Watches first and reads then, so that nothing falls between the two. `isNew`: its files are news. */
  async #add(folder: string, isNew: boolean): Promise<void> {
    const found = lookQuietly(folder, folder === this.#root);
    if (this.#closed || !found?.isDirectory() || this.#folders.has(folder)) return;
    try {
      const watcher = watch(folder, { recursive: WHOLE_TREE }, (event, name) => this.#onEvent(folder, event, name));
      // Told of by the folder above.
      watcher.on("error", () => {});
      this.#folders.set(folder, { inode: found.ino, watcher });
    } catch {
      // Out of watches, or it may not be read: the regular look at everything finds what changes there.
    }
    if (WHOLE_TREE && !isNew) return;
    for (const entry of await readdir(folder, { withFileTypes: true }).catch((): Dirent[] => [])) {
      const path = join(folder, entry.name);
      if (this.#isOurs(path)) continue;
      if (entry.isDirectory()) await this.#add(path, isNew);
      else if (isNew) this.#listener.onPath(path);
    }
  }

  /** A folder is no longer what it was: nobody names the files that went with it. */
  #forget(folder: string): void {
    this.#remove(folder);
    this.#listener.onUnnamed();
  }

  #remove(folder: string): void {
    for (const [path, { watcher }] of this.#folders) {
      if (path !== folder && !path.startsWith(folder + sep)) continue;
      this.#folders.delete(path);
      watcher.close();
    }
  }

  #onEvent(folder: string, event: string, name: string | null): void {
    if (this.#closed) return;
    if (name === null) return this.#listener.onUnnamed();
    const path = join(folder, name);
    if (this.#isOurs(path)) return;
    this.#listener.onPath(path);
    if (event !== "rename") return;
    // A folder that is deleted or moved says its own name. A new one in its place may have its inode, but has no watch.
    if (name === basename(folder)) {
      this.#forget(folder);
      void this.#onRename(folder);
    } else void this.#onRename(path);
  }

  /** A folder came, went, or is another one. */
  async #onRename(path: string): Promise<void> {
    const found = lookQuietly(path);
    const known = this.#folders.get(path);
    if (known && (!found?.isDirectory() || found.ino !== known.inode)) this.#forget(path);
    if (found?.isDirectory()) await this.#add(path, true);
  }

  #isOurs(path: string): boolean {
    return relative(this.#root, path).split(sep)[0] === OWN_FOLDER;
  }
}

/** The root may be a link, nothing below it. */
function lookQuietly(path: string, isRoot = false): Stats | undefined {
  try {
    return isRoot ? statSync(path) : look(path);
  } catch {
    return undefined;
  }
}

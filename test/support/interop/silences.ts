import assert from "node:assert/strict";
import { DEFAULT_PARAMETERS } from "#transport/params.js";
import { CLIENT } from "../channel.js";
import { transfer } from "../streams.js";
import { type Connected, connected, type InteropCase, MB, same, seconds } from "./world.js";

/** No probe timeout is longer: PROTOCOL.md §6.1. */
const PTO_CAP_MS = 2_000;

/** Nothing travels from time to time; `resumed`: the longest that the sender was silent after the light came back. */
class Darkness {
  resumed = 0;
  nights = 0;
  #dark = false;
  #lightAt: number | undefined;
  #over = false;

  constructor({ world }: Connected, onMs: number, offMs: number, firstMs: number = onMs) {
    const { clock } = world;
    world.network.tap = (bytes, from) => {
      if (!this.#dark && this.#lightAt !== undefined && from.host === CLIENT.host) {
        this.resumed = Math.max(this.resumed, clock.now() - this.#lightAt);
        this.#lightAt = undefined;
      }
      return this.#dark ? [] : [bytes];
    };
    const toggle = (): void => {
      if (this.#over) return;
      this.#dark = !this.#dark;
      if (this.#dark) this.nights++;
      else this.#lightAt = clock.now();
      clock.schedule(this.#dark ? offMs : onMs, toggle);
    };
    clock.schedule(firstMs, toggle);
  }

  end(): void {
    this.#over = true;
  }
}

interface Blink {
  readonly onMs: number;
  readonly offMs: number;
  readonly idleMs?: number;
}

async function blackhole({ onMs, offMs, idleMs = DEFAULT_PARAMETERS.idleMs }: Blink, size: number): Promise<string> {
  const all = await connected({ endpoint: { parameters: { ...DEFAULT_PARAMETERS, idleMs } } });
  const { world, client, server } = all;
  const darkness = new Darkness(all, onMs, offMs, size < 1 ? 300 : onMs);
  const took = await same(world, client, server, world.random.bytes(Math.round(10 * MB * size)));
  darkness.end();
  const { nights, resumed } = darkness;
  assert.ok(nights > 0 && resumed > 0 && resumed <= PTO_CAP_MS, `dark ${nights} times, ${resumed} ms`);
  return `${seconds(took)}, dark ${nights} times, resumed after at most ${Math.round(resumed)} ms`;
}

/** One darkness under a transfer; what it came to, and how long a fresh dial took when that was the end. */
async function edge(offMs: number): Promise<string> {
  const all = await connected();
  const { world, client, server } = all;
  const darkness = new Darkness(all, 60_000, offMs, 300);
  const bytes = world.random.bytes(MB);
  const moved = transfer(client, server, bytes);
  const outcome = moved.then(
    () => "goes on",
    (error: { code?: string }) => error.code ?? String(error),
  );
  await world.clock.runUntilAsync(() => false, 300 + offMs + PTO_CAP_MS);
  darkness.end();
  const told = await world.until(outcome);
  if (told === "goes on") return told;
  // Its keep-alive, a third of the timeout after the last word, was the first packet after it, and began the timeout anew.
  await world.clock.runUntilAsync(() => server.closeInfo !== undefined, DEFAULT_PARAMETERS.idleMs / 3);
  assert.equal(server.closeInfo?.error?.code, told, "both ends know");
  const start = world.clock.now();
  const again = await world.connected();
  await same(world, again.client, again.server, bytes);
  assert.ok(world.clock.now() - start < 2_000);
  return told;
}

export const SILENCES: readonly InteropCase[] = [
  {
    name: "blackhole",
    check: "5 s on, 2 s off: 10 MB arrive; after light returns it goes on within one capped probe timeout (2 s)",
    run: (size) => blackhole({ onMs: 5_000, offMs: 2_000 }, size),
  },
  {
    name: "blackhole, 0.5 s",
    check: "the same with 2 s on, 0.5 s off",
    run: (size) => blackhole({ onMs: 2_000, offMs: 500 }, size),
  },
  {
    name: "blackhole, 30 s",
    check: "the same with 5 s on, 30 s off, and an idle timeout of 40 s",
    run: (size) => blackhole({ onMs: 5_000, offMs: 30_000, idleMs: 40_000 }, size),
  },
  {
    name: "blackhole, at the idle timeout",
    check:
      "of 30 s: a darkness that ends a capped probe timeout before it is survived; after one that does not, both ends say IDLE, and a fresh dial works at once",
    async run() {
      const { idleMs } = DEFAULT_PARAMETERS;
      assert.equal(await edge(idleMs - PTO_CAP_MS - 100), "goes on");
      assert.equal(await edge(idleMs + 200), "IDLE");
      return "27.9 s: goes on; 30.2 s: IDLE";
    },
  },
];

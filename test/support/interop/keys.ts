import assert from "node:assert/strict";
import { CLIENT } from "../channel.js";
import { BASE, connected, type InteropCase, MB, same, seconds } from "./world.js";

/** Renewals that need not wait: PROTOCOL.md §4. */
const BURST = 16;

export const KEYS: readonly InteropCase[] = [
  {
    name: "keyupdate",
    check: "3 MB, a rekey after the first third: both ends send in both epochs",
    async run(size) {
      const { world, client, server } = await connected();
      const epochs = { client: new Set<number>(), server: new Set<number>() };
      world.network.tap = (bytes, from) => {
        const first = bytes[0] ?? 0;
        if (first >> 6 === 1) epochs[from.host === CLIENT.host ? "client" : "server"].add((first >> 4) & 3);
        return [bytes];
      };
      const bytes = world.random.bytes(Math.round(3 * MB * size));
      const moved = same(world, client, server, bytes);
      await world.clock.runUntilAsync(() => client.stats().bytesSent > bytes.length / 3, 60_000);
      await world.until(client.rekey());
      await moved;
      assert.deepEqual(
        [[...epochs.client].sort(), [...epochs.server].sort()],
        [
          [0, 1],
          [0, 1],
        ],
      );
      return "epochs 0 and 1 from both";
    },
  },
  {
    name: "keyupdate, many",
    check:
      "2 % loss, 10 MB, and 100 rekeys while they are under way, asked for by both ends in turn (sixteen at once, then one a second, so on a link that needs longer than that)",
    async run(size) {
      const wanted = size < 1 ? 4 : 100;
      const bytes = Math.round(10 * MB * Math.max(size, 0.1));
      const rate = Math.min(BASE.rate, bytes / (1100 * Math.max(0, wanted - BURST) + 700 * wanted));
      const { world, client, server } = await connected({ link: { ...BASE, rate, loss: 0.02 } });
      const seen: number[] = [];
      client.on("rekeyed", ({ epoch }) => seen.push(epoch));
      let over = false;
      const moved = same(world, client, server, world.random.bytes(bytes)).finally(() => {
        over = true;
      });
      for (let epoch = 1; epoch <= wanted; epoch++) {
        const asked = epoch % 2 === 0 ? client : server;
        assert.deepEqual(await world.until(asked.rekey()), { epoch });
        // The end that is asked next has to know that this one is over.
        await world.clock.runUntilAsync(() => client.stats().epoch + server.stats().epoch === 2 * epoch, 60_000);
      }
      assert.ok(!over, "all of them while bytes are under way");
      const took = await moved;
      assert.deepEqual(
        seen.slice(0, wanted),
        Array.from({ length: wanted }, (_, i) => i + 1),
      );
      assert.deepEqual([client.closeInfo, server.closeInfo], [undefined, undefined]);
      const mbits = ((rate * 8) / 1000).toFixed(2);
      return `${seen.length} rekeys in ${seconds(took)} at ${mbits} Mbit/s, ${client.stats().packetsLost} packets lost`;
    },
  },
];

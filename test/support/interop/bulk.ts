import assert from "node:assert/strict";
import type { Crypto } from "#crypto/crypto.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { nobleCrypto } from "#crypto/noble.js";
import { loadSodiumCrypto } from "#crypto/sodium.node.js";
import { loadWasmCrypto } from "#crypto/wasm.node.js";
import type { Session } from "#transport/session.js";
import { ChannelWorld } from "../channel.js";
import { readAll } from "../streams.js";
import { BASE, burstly, connected, type InteropCase, MB, same, seconds, sha } from "./world.js";

// The runner's cases about many bytes.

/** Those that are installed here. */
const OPTIONAL = [loadSodiumCrypto(), await loadWasmCrypto()];

function backEnds(size: number): Promise<string>[] {
  const all = [nobleCrypto, nativeCrypto, ...OPTIONAL].filter((crypto) => crypto !== undefined);
  const pairs = all.flatMap((one) => all.map((other): readonly [Crypto, Crypto] => [one, other]));
  return pairs.map(async ([one, other]) => {
    const world = new ChannelWorld({ seed: 4, crypto: one, link: { ...BASE, rate: 12_500 } });
    world.restartServer({ crypto: other });
    const { client, server } = await world.connected();
    await same(world, client, server, world.random.bytes(Math.round(3 * MB * size)));
    return `${one.name}-${other.name}`;
  });
}

interface Spoiling {
  /** What arrives must: lost, or with a flipped bit. */
  readonly spoil: boolean;
  readonly megabytes: number;
  /** Of the datagrams, each way. */
  readonly shares: readonly number[];
}

/** The runner's limit for each of its transfers. */
const LIMIT_MS = 60_000;

async function lossyTransfers({ spoil, megabytes, shares }: Spoiling): Promise<string> {
  const measured: string[] = [];
  for (const share of shares) {
    const { world, client, server } = await connected();
    burstly(world, share, spoil);
    const took = await same(world, client, server, world.random.bytes(Math.round(megabytes * MB)), LIMIT_MS);
    const { drops } = world.server.endpoint;
    if (spoil) assert.ok(drops.forged > 0, `${100 * share} %: nothing was spoilt`);
    else assert.equal(drops.forged, 0);
    assert.deepEqual([client.closeInfo, server.closeInfo], [undefined, undefined]);
    const counted = spoil ? `${drops.forged} forged` : `${client.stats().packetsLost} lost`;
    measured.push(`${shares.length > 1 ? `${100 * share} %: ` : ""}${seconds(took)}, ${counted}`);
  }
  return measured.join("; ");
}

/** Enough bytes that a rare accident is certain. */
const lossy = (spoil: boolean): readonly InteropCase[] => [
  {
    name: spoil ? "transfercorruption" : "transferloss",
    check: spoil ? "the same with flipped bits; counted, never an error" : "2 MB at 2 %, bursts up to 3",
    run: (size) => lossyTransfers({ spoil, megabytes: 2 * Math.max(size, 0.2), shares: [0.02] }),
  },
  {
    name: spoil ? "transfercorruption, 10 MB" : "transferloss, 10 MB",
    check: spoil ? "the same with flipped bits" : "at 0.1, 1, 5, 10 and 20 %, bursts up to 3, within 60 s each",
    run: (size) =>
      lossyTransfers({ spoil, megabytes: 10 * size, shares: size < 1 ? [0.01, 0.2] : [0.001, 0.01, 0.05, 0.1, 0.2] }),
  },
];

export const BULK: readonly InteropCase[] = [
  {
    name: "transfer",
    check: "2 + 3 + 5 MB in parallel and both directions, SHA-256 equal, orderly close",
    async run(size) {
      const { world, client, server } = await connected();
      const start = world.clock.now();
      const files = [2, 3, 5].map((mb) => world.random.bytes(Math.round(mb * MB * size)));
      const seen = new Map<string, number>();
      const collect = async (session: Session): Promise<void> => {
        let left = files.length;
        const all: Promise<void>[] = [];
        for await (const stream of session.incomingStreams()) {
          all.push(readAll(stream).then((bytes) => void seen.set(sha(bytes), (seen.get(sha(bytes)) ?? 0) + 1)));
          if (--left === 0) break;
        }
        await Promise.all(all);
      };
      const collected = Promise.all([collect(client), collect(server)]);
      for (const session of [client, server])
        for (const file of files)
          void session.openStream().then(async (stream) => {
            await stream.write(file);
            await stream.end();
          });
      await world.until(collected);
      assert.deepEqual(
        files.map((file) => seen.get(sha(file))),
        [2, 2, 2],
      );
      const took = world.clock.now() - start;
      await world.until(client.close());
      assert.equal((await world.until(server.closed)).error, undefined);
      return seconds(took);
    },
  },
  {
    name: "chacha20",
    check: "3 MB between every pair of crypto back ends",
    run: async (size) => (await Promise.all(backEnds(size))).join(", "),
  },
  {
    name: "multiplexing",
    check: "1,999 streams of 32 bytes on one connection, at most 128 at once",
    async run(size) {
      const { world, client, server } = await connected();
      let most = 0;
      let whole = 0;
      void (async () => {
        for await (const stream of server.incomingStreams()) {
          most = Math.max(most, server.stats().streams);
          void readAll(stream).then((bytes) => {
            if (bytes.length === 32) whole++;
            return stream.end();
          });
        }
      })();
      const start = world.clock.now();
      const one = async (): Promise<void> => {
        const stream = await client.openStream();
        await stream.write(world.random.bytes(32));
        await stream.end();
        await readAll(stream);
      };
      const count = Math.round(1999 * Math.max(size, 0.2));
      await world.until(Promise.all(Array.from({ length: count }, one)));
      assert.equal(whole, count);
      assert.ok(most <= 128);
      return `${seconds(world.clock.now() - start)}, at most ${most} at once`;
    },
  },
  ...lossy(false),
  ...lossy(true),
];

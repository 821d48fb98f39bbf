import process from "node:process";
import { parseArgs } from "node:util";
import type { Crypto } from "#crypto/crypto.js";
import { fastestCrypto } from "#crypto/fastest.node.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { nobleCrypto } from "#crypto/noble.js";
import { measureConnectCpu } from "./connectCpu.js";
import type { Figure } from "./figures.js";
import { measureGrowth } from "./growth.js";
import { openLab, whyNoLab } from "./lab/lab.js";
import { openTunnel } from "./lab/wireGuard.js";
import { measureOwnWork } from "./ownWork.js";
import { LOOPBACK, type Place, runPair } from "./pair.js";
import { measurePairingCpu } from "./pairingCpu.js";
import { print, summarise } from "./report.js";
import { labTables, loopbackTables, type Table } from "./rows.js";
import { measureSharedLinks } from "./sharedLinks.js";
import type { Sides } from "./sides.js";

const PAIRING = "Pairing by comparing digits: CPU of one side, without processes or network";
const CONNECT = "Connecting to a known device: CPU of one side, without processes or network";
const SHARES =
  "Shares of a link: ours beside TCP with CUBIC, the first of two of ours, evenness (Jain) of four of ours";
const OWN_WORK = "The channel's own work for a packet of 1452 bytes: no sockets, no AEAD";
const GROWTH = "Growth: CPU of a server for a packet over loopback, with one and with a thousand";
const USAGE = `npm run bench -- [--quick] [--rounds <n>] [--mib <n>] [--only <part of a title or row>] [--json]
Moves the same bytes between two processes by Handfast and by what else a user could pick, in turns. Trust the ratios:
both processes and whatever else runs here share the processors. BENCH_PEERS=<folder> adds udx, when "npm i udx-native
@hyperswarm/secret-stream" was run there. As root on Linux, emulated links follow.`;

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
    rounds: { type: "string" },
    mib: { type: "string" },
    only: { type: "string" },
  },
});
if (options.help) {
  console.log(USAGE);
  process.exit(0);
}
const rounds = Number(options.rounds ?? (options.quick ? 1 : 5));
if (!options.only || PAIRING.includes(options.only)) sides(PAIRING, [nativeCrypto, nobleCrypto], measurePairingCpu);
if (!options.only || CONNECT.includes(options.only)) sides(CONNECT, [nativeCrypto, fastestCrypto], measureConnectCpu);
if (!options.only || OWN_WORK.includes(options.only)) await ownWork();
if (!options.only || GROWTH.includes(options.only)) await growth();
for (const table of loopbackTables(options.quick)) await measure(table, LOOPBACK);
const obstacle = whyNoLab();
if (obstacle) console.error(`\nThe emulated links are left out: ${obstacle}.`);
else
  for (const table of labTables(options.quick).filter(isWanted)) {
    await using lab = await openLab(table.link ?? {}, table.mtu);
    await using tunnel = table.rows.some((row) => row.tunnel) ? await openTunnel(lab.place) : undefined;
    await measure(table, lab.place, tunnel?.place);
  }
if (!obstacle && (!options.only || SHARES.includes(options.only))) await shares();

function isWanted({ title, rows }: Table): boolean {
  const { only } = options;
  return !only || title.includes(only) || rows.some(({ name }) => name.includes(only));
}

/** CPU of both sides, a line for each back end. */
function sides(title: string, backEnds: readonly Crypto[], measure: (crypto: Crypto, rounds: number) => Sides): void {
  const lines = backEnds.map((crypto) => ({ name: crypto.name, ...measure(crypto, options.quick ? 30 : 200) }));
  const text = lines.map(
    ({ name, client, server }) => `  ${name.padEnd(8)} client ${client.toFixed(2)} ms, PC ${server.toFixed(2)} ms`,
  );
  console.log(options.json ? JSON.stringify({ title, lines }) : [`\n${title} (medians)`, ...text].join("\n"));
}

async function shares(): Promise<void> {
  const lines = await measureSharedLinks(options.quick);
  const part = (share: number): string => `${(100 * share).toFixed(0)} %`;
  const text = lines.map(
    ({ link, besideTcp, firstOfTwo, evenness }) =>
      `  ${link.padEnd(30)} ${part(besideTcp)} beside TCP; ${part(firstOfTwo)} of two; ${evenness.toFixed(2)}`,
  );
  console.log(options.json ? JSON.stringify({ title: SHARES, lines }) : [`\n${SHARES}`, ...text].join("\n"));
}

async function ownWork(): Promise<void> {
  const { sender, receiver } = await measureOwnWork(rounds, options.quick ? 16 : 64);
  const text = `  sender ${sender.toFixed(2)} µs, receiver ${receiver.toFixed(2)} µs`;
  console.log(
    options.json
      ? JSON.stringify({ title: OWN_WORK, lines: [{ sender, receiver }] })
      : [`\n${OWN_WORK} (medians of ${rounds})`, text].join("\n"),
  );
}

async function growth(): Promise<void> {
  const lines = await measureGrowth(rounds, options.quick ? 1600 : 4800);
  const text = lines.map(
    ({ what, one, many, ratio }) =>
      `  ${what.padEnd(30)} ${one.toFixed(1)} to ${many.toFixed(1)} µs: ${ratio.toFixed(2)} x`,
  );
  console.log(
    options.json
      ? JSON.stringify({ title: GROWTH, lines })
      : [`\n${GROWTH} (medians of ${rounds})`, ...text].join("\n"),
  );
}

/** Rounds go through all rows in turn, so that a busy moment hits every row alike. */
async function measure(wanted: Table, place: Place, tunnel: Place = place): Promise<void> {
  const { only, mib } = options;
  const table = mib ? { ...wanted, work: { ...wanted.work, bytes: Number(mib) * 2 ** 20 } } : wanted;
  const rows = table.rows.filter(({ name }) => !only || table.title.includes(only) || name.includes(only));
  if (rows.length === 0) return;
  const figures = new Map<string, Figure[]>(rows.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++)
    for (const row of rows)
      figures
        .get(row.name)
        ?.push(await runPair(row.peer, { ...table.work, settings: row.settings }, row.tunnel ? tunnel : place));
  const lines = summarise({ ...table, rows }, figures);
  console.log(options.json ? JSON.stringify({ title: table.title, lines }) : print(table, lines));
}

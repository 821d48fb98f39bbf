import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";

/**
 * The rules of src/device/PROTOCOL.md §5 as a search over all orders of sends, losses, delays, replays, disk writes and crashes.
 * The network keeps every message for ever and delivers any of them at any time. Bounded, symbolic, not a proof.
 */
interface Pair {
  /** "secret" and "next": names of secrets, a child is named after its parent and the handshake. */
  readonly secret: string;
  readonly next: string;
}
interface Step {
  readonly response: number;
  readonly used: string;
  readonly fresh: string;
}
interface World {
  readonly client: { readonly disk: Pair; readonly writes: readonly Step[]; readonly dials: readonly number[] };
  readonly server: { readonly disk: Pair; readonly writes: readonly Step[]; readonly half: readonly number[] };
  /** Hints of each Init, newest first. */
  readonly inits: readonly (readonly string[])[];
  /** Responses: to which Init, under which secret; undefined: under the lineage. */
  readonly responses: readonly { readonly init: number; readonly used: string | undefined }[];
  /** First data packets, by their Response. */
  readonly data: readonly number[];
  readonly crashes: number;
}

interface Variant {
  readonly sendBeforeWrite?: boolean;
  readonly manySuccesses?: boolean;
  readonly lateFirstPackets?: boolean;
  readonly serverForgets?: boolean;
  readonly clientForgets?: boolean;
  readonly alarmOnInit?: boolean;
}

/** 3 is enough for every twin; BOUND=4 takes half a minute and finds nothing more. */
const BOUND = Number(process.env["BOUND"] ?? 3);
const BOUNDS = { inits: BOUND, responses: BOUND, dials: 2, half: 2, crashes: 1 };
const START: World = {
  client: { disk: { secret: "0", next: "0" }, writes: [], dials: [] },
  server: { disk: { secret: "0", next: "0" }, writes: [], half: [] },
  inits: [],
  responses: [],
  data: [],
  crashes: BOUNDS.crashes,
};

const holds = (pair: Pair, secret: string): boolean => pair.secret === secret || pair.next === secret;

class Alarm extends Error {}

/** The disk after its oldest write; a step from a secret that is not there any more changes nothing. */
function written<Side extends { readonly disk: Pair; readonly writes: readonly Step[] }>(
  side: Side,
  forgets: boolean,
): Side {
  const [step, ...writes] = side.writes;
  if (!step || !holds(side.disk, step.used)) return { ...side, writes };
  return { ...side, writes, disk: { secret: forgets ? step.fresh : step.used, next: step.fresh } };
}

const without = <T>(list: readonly T[], value: T): T[] => list.filter((each) => each !== value);

function* clientMoves(world: World, variant: Variant): Generator<World> {
  const { client, inits, responses, data } = world;
  if (inits.length < BOUNDS.inits && client.dials.length < BOUNDS.dials) {
    const hints = [client.disk.next, client.disk.secret];
    yield { ...world, inits: [...inits, hints], client: { ...client, dials: [...client.dials, inits.length] } };
  }
  for (const dial of client.dials) yield { ...world, client: { ...client, dials: without(client.dials, dial) } };
  for (const [index, { init, used }] of responses.entries()) {
    if (!client.dials.includes(init)) continue;
    if (used === undefined) throw new Alarm("the client is told that it holds a copy");
    if (!inits[init]?.includes(used)) continue;
    const writes = [...client.writes, { response: index, used, fresh: `${used}.${index}` }];
    const dials = variant.manySuccesses ? without(client.dials, init) : [];
    yield { ...world, data: variant.sendBeforeWrite ? [...data, index] : data, client: { ...client, writes, dials } };
  }
  const [step] = client.writes;
  if (step) {
    const sends = holds(client.disk, step.used) && !variant.sendBeforeWrite;
    const sent = sends ? [...data, step.response] : data;
    yield { ...world, data: sent, client: written(client, variant.clientForgets === true) };
  }
  if (world.crashes > 0 && (client.writes.length > 0 || client.dials.length > 0))
    yield { ...world, crashes: world.crashes - 1, client: { ...client, writes: [], dials: [] } };
}

function* serverMoves(world: World, variant: Variant): Generator<World> {
  const { server, inits, responses, data } = world;
  for (const [init, hints] of inits.entries()) {
    if (responses.length >= BOUNDS.responses || server.half.some((index) => responses[index]?.init === init)) continue;
    const used = hints.find((hint) => holds(server.disk, hint));
    if (used === undefined && variant.alarmOnInit) throw new Alarm("an Init alone raises the alarm");
    const half = [...server.half, responses.length].slice(-BOUNDS.half);
    yield { ...world, responses: [...responses, { init, used }], server: { ...server, half } };
  }
  for (const index of server.half) {
    yield { ...world, server: { ...server, half: without(server.half, index) } };
    if (!data.includes(index)) continue;
    const used = responses[index]?.used;
    if (used === undefined) throw new Alarm("a copy is confirmed");
    const younger = server.half.slice(server.half.indexOf(index) + 1);
    const half = variant.lateFirstPackets ? without(server.half, index) : younger;
    yield {
      ...world,
      server: { ...server, half, writes: [...server.writes, { response: index, used, fresh: `${used}.${index}` }] },
    };
  }
  if (server.writes.length > 0) yield { ...world, server: written(server, variant.serverForgets === true) };
  if (world.crashes > 0 && (server.writes.length > 0 || server.half.length > 0))
    yield { ...world, crashes: world.crashes - 1, server: { ...server, writes: [], half: [] } };
}

/** How many states there are, and what went wrong in the first bad one. */
function search(variant: Variant): { states: number; broken: string | undefined } {
  const seen = new Set<string>([JSON.stringify(START)]);
  let front: World[] = [START];
  while (front.length > 0) {
    const next: World[] = [];
    for (const world of front) {
      const { client, server } = world;
      if (!holds(server.disk, client.disk.secret) && !holds(server.disk, client.disk.next))
        return { states: seen.size, broken: "no common secret" };
      try {
        for (const moves of [clientMoves, serverMoves])
          for (const to of moves(world, variant)) {
            const key = JSON.stringify(to);
            if (seen.has(key)) continue;
            seen.add(key);
            next.push(to);
          }
      } catch (error) {
        if (!(error instanceof Alarm)) throw error;
        return { states: seen.size, broken: error.message };
      }
    }
    front = next;
  }
  return { states: seen.size, broken: undefined };
}

test("no order of events raises a false alarm or leaves the two without a common secret", () => {
  const { states, broken } = search({});
  assert.equal(broken, undefined);
  assert.ok(states > 10_000, `${states} states`);
});

const TWINS: readonly (readonly [rule: string, variant: Variant])[] = [
  ["the client's first packet leaves before its step is written", { sendBeforeWrite: true }],
  ["two handshakes of one client succeed at once", { manySuccesses: true }],
  ["a first packet counts although a newer connection's came before", { lateFirstPackets: true }],
  ["the server keeps one secret", { serverForgets: true }],
  ["the client keeps one secret", { clientForgets: true }],
  ["the alarm follows an Init alone", { alarmOnInit: true }],
];
for (const [rule, variant] of TWINS)
  test(`broken twin is found broken: ${rule}`, () => {
    assert.notEqual(search(variant).broken, undefined);
  });

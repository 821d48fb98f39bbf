import { nativeCrypto } from "#crypto/native.node.js";
import { concat } from "#kernel/bytes.js";
import type { Address } from "#kernel/ports.js";
import { Dial, padded } from "#transport/dial.js";
import {
  buildResponse,
  initHeader,
  initPrologue,
  mac1Of,
  openCookie,
  RESPONSE_NOISE,
  sealInit,
  VERSION,
  withCookie,
} from "#transport/handshakePackets.js";
import { NOISE_TAG, NoiseInitiator, NoiseResponder, RESPONSE_HEAD } from "#transport/noise.js";
import { DEFAULT_PARAMETERS, encodeParameters } from "#transport/params.js";
import { ChannelWorld, CLIENT, SERVER } from "../../support/channel.js";
import { counting } from "../../support/crypto.js";
import type { Outcome } from "../stage.js";

// Attacks on the channel by people who hold no bond: they see the wire, forge addresses, and know the server's public key.

const EVE: Address = { host: "10.0.0.66", port: 6666 };
const RESPONSE = 1200;

const wait = (world: ChannelWorld, ms: number): Promise<boolean> => world.clock.runUntilAsync(() => false, ms);
const host = (i: number): Address => ({ host: `10.9.${i >> 8}.${i & 255}`, port: 9 });

/** What the server answers to that address. */
function answers(world: ChannelWorld, bytes: Uint8Array, from: Address, now = world.clock.now()): Uint8Array[] {
  const { endpoint } = world.server;
  endpoint.receive(bytes.slice(), from, now);
  const all: Uint8Array[] = [];
  for (let next = endpoint.nextDatagram(now); next; next = endpoint.nextDatagram(now))
    if (next.to === from) all.push(next.bytes);
  return all;
}

/** A new Init of a bonded client, with the dial that understands the Response. */
function clientInit(
  world: ChannelWorld,
  { identity, psk } = { identity: world.clientKey, psk: world.psk },
): { readonly init: Uint8Array; readonly dial: Dial } {
  const { crypto, random, serverKey } = world;
  const now = world.clock.now();
  const dial = new Dial({
    ...{ crypto, random: random.bytes, own: identity, peerStatic: serverKey.public, psk, to: [SERVER] },
    ...{ scid: random.bytes(8), parameters: DEFAULT_PARAMETERS, now },
  });
  return { dial, init: dial.nextDatagram(now)?.bytes ?? new Uint8Array() };
}

/** An Init that passes mac1 and nothing after it. */
function strangerInit({ crypto, random, serverKey }: ChannelWorld): Uint8Array {
  return sealInit(crypto, serverKey.public, initHeader(random.bytes(8), random.bytes), random.bytes(1155));
}

function overload(world: ChannelWorld, now: number): void {
  for (let i = 0; i < 60; i++) answers(world, strangerInit(world), host(i), now);
}

/** A datagram that was heard on the wire is sent again. */
export async function replayPacket(seed: number): Promise<Outcome> {
  const world = new ChannelWorld({ seed });
  const { client, server } = await world.connected();
  const heard: Uint8Array[] = [];
  world.network.tap = (bytes, from) => {
    if (from.host === CLIENT.host) heard.push(bytes.slice());
    return [bytes];
  };
  let taken = 0;
  void (async () => {
    for await (const _ of server.datagrams()) taken++;
  })();
  client.sendDatagram(Uint8Array.of(7));
  await wait(world, 50);
  for (const bytes of heard) world.network.inject(bytes, CLIENT, SERVER);
  await wait(world, 50);
  return { succeeded: taken > 1, why: `the application got it ${taken} times` };
}

function useCookie(seed: number, from: Address, laterMs: number): Outcome {
  const world = new ChannelWorld({ seed });
  const { crypto, serverKey } = world;
  const now = world.clock.now();
  overload(world, now);
  const { init } = clientInit(world);
  const [demand = new Uint8Array()] = answers(world, init, EVE, now);
  const cookie = openCookie(crypto, serverKey.public, mac1Of(init), demand);
  if (!cookie) return { succeeded: false, why: "no cookie was asked for" };
  overload(world, now + laterMs);
  const [answer] = answers(world, withCookie(crypto, init, cookie), from, now + laterMs);
  return { succeeded: answer?.length === RESPONSE, why: `${answer?.length} bytes came back` };
}

/** A cookie got at one address serves at another. */
export const cookieElsewhere = (seed: number): Outcome => useCookie(seed, { ...EVE, host: "10.0.0.67" }, 0);
export const cookieAtAnotherPort = (seed: number): Outcome => useCookie(seed, { ...EVE, port: 6667 }, 0);
export const cookieOfYesterday = (seed: number): Outcome => useCookie(seed, EVE, 241_000);

export function inventedCookie(seed: number): Outcome {
  const world = new ChannelWorld({ seed });
  overload(world, world.clock.now());
  const [answer] = answers(world, withCookie(world.crypto, clientInit(world).init, world.random.bytes(16)), EVE);
  return { succeeded: answer?.length === RESPONSE, why: `${answer?.length} bytes came back` };
}

/** A recorded Init from a forged address makes the server talk to a victim. */
export function talkToVictim(seed: number): Outcome {
  const world = new ChannelWorld({ seed });
  const all = answers(world, clientInit(world).init, EVE);
  const bytes = all.reduce((sum, { length }) => sum + length, 0);
  return { succeeded: bytes > RESPONSE, why: `${bytes} bytes for 1200` };
}

/** An Init without padding asks for a Response of full size. */
export function shortInit(seed: number): Outcome {
  const world = new ChannelWorld({ seed });
  const { crypto, random, clientKey, serverKey } = world;
  const header = initHeader(random.bytes(8), random.bytes);
  const ephemeral = crypto.x25519KeyPair(random.bytes(32));
  const prologue = initPrologue(header);
  const noise = new NoiseInitiator({ crypto, prologue, own: clientKey, ephemeral, peerStatic: serverKey.public });
  const parameters = encodeParameters({ ...DEFAULT_PARAMETERS, versions: [VERSION] }, random.bytes);
  const init = sealInit(crypto, serverKey.public, header, noise.writeInit(parameters) ?? new Uint8Array());
  const [answer] = answers(world, init, EVE);
  return { succeeded: (answer?.length ?? 0) > init.length, why: `${answer?.length} bytes for ${init.length}` };
}

/** Somebody who knows a client's connection ID ends its connection. */
export async function guessReset(seed: number): Promise<Outcome> {
  const world = new ChannelWorld({ seed });
  let cid = new Uint8Array();
  world.network.tap = (bytes, from) => {
    if (from.host === SERVER.host) cid = bytes.slice(1, 9);
    return [bytes];
  };
  const { client } = await world.connected();
  await wait(world, 50);
  world.network.inject(concat(Uint8Array.of(0x40), cid, world.random.bytes(60)), SERVER, CLIENT);
  await wait(world, 50);
  return { succeeded: client.closeInfo !== undefined, why: client.closeInfo?.reason ?? "it lives" };
}

/** One datagram in the name of one server makes two servers send resets to each other. */
export function resetLoop(seed: number): Outcome {
  const servers = [new ChannelWorld({ seed }), new ChannelWorld({ seed: seed + 100 })] as const;
  let bytes: Uint8Array | undefined = concat(Uint8Array.of(0x40), servers[0].random.bytes(42));
  let bounces = 0;
  for (let i = 0; bytes && i < 6; i++) {
    const server: ChannelWorld = servers[i % 2 === 0 ? 0 : 1];
    [bytes] = answers(server, bytes, EVE);
    if (bytes) bounces++;
  }
  return { succeeded: bounces >= 5, why: `${bounces} resets` };
}

export function resetFlood(seed: number): Outcome {
  const world = new ChannelWorld({ seed });
  let resets = 0;
  for (let i = 0; i < 100; i++)
    resets += answers(world, concat(Uint8Array.of(0x40), world.random.bytes(60)), EVE).length;
  return { succeeded: resets > 10, why: `${resets} resets at once` };
}

/** One device's Inits, each at another address, fill the server's memory. */
export function crowdHalfOpen(seed: number): Outcome {
  const world = new ChannelWorld({ seed });
  for (let i = 0; i < 10; i++) answers(world, clientInit(world).init, host(i), world.clock.now() + 1000 * i);
  const { halfOpen } = world.server.endpoint;
  return { succeeded: halfOpen > 2, why: `${halfOpen} half-open connections` };
}

/** The same with many devices, each of them bonded. */
export function crowdOfDevices(seed: number): Outcome {
  const world = new ChannelWorld({ seed });
  for (let i = 0; i < 20; i++) answers(world, clientInit(world, world.addBond(`device ${i}`)).init, host(i));
  const { halfOpen } = world.server.endpoint;
  return { succeeded: halfOpen > 8, why: `${halfOpen} half-open connections` };
}

/** An Init that was recorded ends the session that its owner has now. */
export async function replayToReplace(seed: number): Promise<Outcome> {
  const world = new ChannelWorld({ seed, endpoint: { keepAlive: true } });
  let init = new Uint8Array();
  world.network.tap = (bytes, from) => {
    if (from.host === CLIENT.host && (bytes[0] ?? 0) >> 6 === 3) init = bytes.slice();
    return [bytes];
  };
  const { server } = await world.connected();
  // Longer than the cache knows it.
  await wait(world, 11_000);
  world.network.inject(init, EVE, SERVER);
  await wait(world, 100);
  return { succeeded: server.closeInfo !== undefined, why: server.closeInfo?.error?.code ?? "it lives" };
}

/** How much Diffie-Hellman the server does for these Inits, at one moment. */
function work(seed: number, inits: (world: ChannelWorld) => readonly (readonly [Uint8Array, Address])[]): number {
  const crypto = counting(nativeCrypto);
  const world = new ChannelWorld({ seed, crypto });
  const all = inits(world);
  crypto.count.dh = 0;
  for (const [init, from] of all) answers(world, init, from);
  return crypto.count.dh;
}

export function floodFromOneHost(seed: number): Outcome {
  const dh = work(seed, (world) => Array.from({ length: 30 }, () => [strangerInit(world), EVE] as const));
  return { succeeded: dh > 5, why: `${dh} Diffie-Hellmans` };
}

export function floodFromEverywhere(seed: number): Outcome {
  const dh = work(seed, (world) => Array.from({ length: 200 }, (_, i) => [strangerInit(world), host(i)] as const));
  return { succeeded: dh > 50, why: `${dh} Diffie-Hellmans` };
}

/** The same Init again and again. */
export function repeatInit(seed: number): Outcome {
  const dh = work(seed, (world) => Array<readonly [Uint8Array, Address]>(4).fill([clientInit(world).init, EVE]));
  return { succeeded: dh > 4, why: `${dh} Diffie-Hellmans` };
}

/** Recorded Inits of one device, from everywhere. */
export function floodOneBond(seed: number): Outcome {
  const world = new ChannelWorld({ seed });
  let responses = 0;
  for (let i = 0; i < 10; i++)
    for (const { length } of answers(world, clientInit(world).init, host(i))) if (length === RESPONSE) responses++;
  return { succeeded: responses > 3, why: `${responses} Responses at once` };
}

/** Somebody on the wire edits handshake datagrams; succeeds when the client takes the connection all the same. */
async function edit(
  seed: number,
  server: boolean,
  change: (bytes: Uint8Array, world: ChannelWorld) => Uint8Array,
): Promise<Outcome> {
  const world = new ChannelWorld({ seed });
  world.network.tap = (bytes, from) =>
    (bytes[0] ?? 0) >> 6 === 3 && (from.host === SERVER.host) === server ? [change(bytes.slice(), world)] : [bytes];
  world.dial();
  await wait(world, 500);
  return { succeeded: world.client.session !== undefined, why: `${world.client.sessions.length} sessions` };
}

/** Another connection ID in the Response's header. */
export const editScid = (seed: number): Promise<Outcome> =>
  edit(seed, true, (bytes, { random }) => {
    bytes.set(random.bytes(8), 13);
    return bytes;
  });

/** Another version in the Response's header. */
export const editVersion = (seed: number): Promise<Outcome> =>
  edit(seed, true, (bytes) => {
    bytes[4] = 0;
    return bytes;
  });

/** Another version in the Init's header, with a mac1 that fits it. */
export const downgradeInit = (seed: number): Promise<Outcome> =>
  edit(seed, false, (bytes, { crypto, serverKey }) => {
    bytes[4] = 0;
    return sealInit(crypto, serverKey.public, bytes.subarray(0, 13), bytes.subarray(13, 1168));
  });

/** Who has stolen the server's static key, but no bond, answers in its place. */
export function answerWithoutBond(seed: number): Outcome {
  const world = new ChannelWorld({ seed });
  const { crypto, random, serverKey } = world;
  const { init, dial } = clientInit(world);
  const noise = new NoiseResponder({ crypto, prologue: initPrologue(init.subarray(0, 13)), own: serverKey });
  noise.readStatic(init.subarray(13, 93));
  noise.readPayload(init.subarray(93, 1168));
  const [dcid, scid] = [init.slice(5, 13), random.bytes(8)];
  const told = { ...DEFAULT_PARAMETERS, handshakeDcid: dcid, handshakeScid: scid, versions: [VERSION] };
  const payload = padded(encodeParameters(told, random.bytes), RESPONSE_NOISE - RESPONSE_HEAD - NOISE_TAG);
  const answer = noise.writeResponse(payload, crypto.x25519KeyPair(random.bytes(32)), new Uint8Array(32));
  if (!answer) return { succeeded: false, why: "no Response" };
  const response = buildResponse({ dcid, scid, noise: answer.message, random: random.bytes });
  const result = dial.receive(response, SERVER, world.clock.now());
  const taken = result !== undefined && result !== "cookie" && result.error === undefined;
  return { succeeded: taken, why: "the client took the session" };
}

import { concat } from "#kernel/bytes.js";
import type { Address } from "#kernel/ports.js";
import { FRAME } from "#transport/frames.js";
import { DEFAULT_PARAMETERS } from "#transport/params.js";
import { ChannelWorld, CLIENT } from "../../support/channel.js";
import { frame, HostileClient } from "../../support/hostile.js";
import type { Outcome } from "../stage.js";

// Attacks by a device that is bonded, authenticated and hostile: RFC 9000 §21.

const VICTIM: Address = { host: "10.0.0.66", port: 6666 };
const WINDOW = DEFAULT_PARAMETERS.maxStreamDataBidiRemote;
const STREAM = 0x0a; // with length
const STREAM_AT = 0x0e; // with offset and length
const FIN = 0x01;
const X = Uint8Array.of(0x78);
const CHALLENGE = frame(FRAME.PATH_CHALLENGE, [], new Uint8Array(8));

const attacker = (seed: number): HostileClient => new HostileClient(new ChannelWorld({ seed }));

/** Succeeds when the server bears all of it. */
function borne(seed: number, packets: readonly (readonly Uint8Array[])[]): Outcome {
  const peer = attacker(seed);
  for (const frames of packets) peer.send(...frames);
  const code = peer.victim.closeInfo?.error?.code;
  return { succeeded: code === undefined, why: code ?? "it was borne" };
}

const bytesTo = (peer: HostileClient, { host }: Address): number =>
  peer.answers.filter(({ to }) => to.host === host).reduce((sum, { size }) => sum + size, 0);

/** Acknowledges whatever may have been sent, to be sent more than the network carries. */
export async function ackBlindly(seed: number): Promise<Outcome> {
  const peer = attacker(seed);
  const stream = await peer.victim.openStream();
  void stream.write(new Uint8Array(900_000)).catch(() => {});
  peer.drain();
  for (let i = 0; i < 300 && !peer.victim.closeInfo; i++) {
    const { largest } = peer;
    peer.send(frame(FRAME.ACK, [largest, 0, 0, largest]), frame(FRAME.MAX_STREAM_DATA, [1, 2 ** 40]));
    peer.wait(5);
  }
  const why = peer.victim.closeInfo?.error?.code ?? `${peer.largest} packets`;
  return { succeeded: !peer.victim.closeInfo && peer.largest > 300, why };
}

export const ackTheFuture = (seed: number): Outcome => borne(seed, [[frame(FRAME.ACK, [1000, 0, 0, 0])]]);

export const passStreamWindow = (seed: number): Outcome => borne(seed, [[frame(STREAM_AT, [0, WINDOW, 1], X)]]);

export const resetPastWindow = (seed: number): Outcome =>
  borne(seed, [[frame(FRAME.RESET_STREAM, [0, 0, WINDOW + 1])]]);

/** Each stream within its window, all of them together not. */
export const passConnectionWindow = (seed: number): Outcome =>
  borne(
    seed,
    Array.from({ length: 5 }, (_, i) => [frame(STREAM_AT, [4 * i, WINDOW - 1, 1], X)]),
  );

export const moveTheEnd = (seed: number): Outcome =>
  borne(seed, [[frame(STREAM | FIN, [0, 1], X)], [frame(STREAM_AT | FIN, [0, 1, 1], X)]]);

export const openTooMany = (seed: number): Outcome => borne(seed, [[frame(STREAM, [4 * 999, 1], X)]]);

export const everySecondByte = (seed: number): Outcome =>
  borne(
    seed,
    Array.from({ length: 1001 }, (_, i) => [frame(STREAM_AT, [0, 2 * i + 1, 1], X)]),
  );

export const keyMaterialFarAhead = (seed: number): Outcome => borne(seed, [[frame(FRAME.CRYPTO, [4096, 1], X)]]);

export const giveTooManyIds = (seed: number): Outcome =>
  borne(seed, [Array.from({ length: 10 }, (_, i) => frame(FRAME.NEW_CONNECTION_ID, [i + 1, 0], new Uint8Array(24)))]);

/** Each ID that is retired costs the server a new one. */
export const retireUnseenIds = (seed: number): Outcome =>
  borne(seed, [Array.from({ length: 300 }, (_, i) => frame(FRAME.RETIRE_CONNECTION_ID, [i]))]);

export const tooLargeDatagram = (seed: number): Outcome =>
  borne(seed, [[frame(FRAME.DATAGRAM_WITH_LENGTH, [65_001], new Uint8Array(65_001))]]);

/** How much waits for an application that does not read. */
async function unread(peer: HostileClient): Promise<{ readonly count: number; readonly bytes: number }> {
  peer.send(frame(FRAME.APPLICATION_CLOSE, [0, 0]));
  let [count, bytes] = [0, 0];
  for await (const { length } of peer.victim.datagrams()) {
    count++;
    bytes += length;
  }
  return { count, bytes };
}

export async function fillDatagrams(seed: number): Promise<Outcome> {
  const peer = attacker(seed);
  for (let i = 0; i < 100; i++) peer.send(frame(FRAME.DATAGRAM_WITH_LENGTH, [1000], new Uint8Array(1000)));
  const { bytes } = await unread(peer);
  return { succeeded: bytes > 64 * 1024, why: `${bytes} bytes wait` };
}

export async function emptyDatagrams(seed: number): Promise<Outcome> {
  const peer = attacker(seed);
  peer.send(...Array.from({ length: 5000 }, () => frame(FRAME.DATAGRAM_WITH_LENGTH, [0])));
  const { count } = await unread(peer);
  return { succeeded: count > 1024, why: `${count} datagrams wait` };
}

export async function openAndReset(seed: number): Promise<Outcome> {
  const peer = attacker(seed);
  for (let i = 0; i < 600; i++) {
    peer.send(frame(FRAME.RESET_STREAM, [4 * i + 2, 0, 0]));
    peer.acknowledge();
    peer.wait(1);
  }
  peer.send(frame(FRAME.APPLICATION_CLOSE, [0, 0]));
  let waiting = 0;
  for await (const _ of peer.victim.incomingStreams()) waiting++;
  return { succeeded: waiting > 256, why: `${waiting} streams wait` };
}

/** After an error it goes on talking, to be told of the end again and again. */
export function goodbyes(seed: number): Outcome {
  const peer = attacker(seed);
  peer.send(frame(0x21));
  let answered = 0;
  for (let i = 0; i < 256; i++) if (peer.send(frame(FRAME.PING)) > 0) answered++;
  return { succeeded: answered > 9, why: `${answered} answers` };
}

/** A small packet in the name of a victim makes the server challenge it at full size. */
export function challengeVictim(seed: number): Outcome {
  const peer = attacker(seed);
  peer.from = VICTIM;
  peer.send(frame(FRAME.PING));
  for (let i = 0; i < 10; i++) peer.wait(100);
  const bytes = bytesTo(peer, VICTIM);
  return { succeeded: bytes > 3 * 44, why: `${bytes} bytes for 44` };
}

/** The same with a question that has to be answered. */
export function answerVictim(seed: number): Outcome {
  const peer = attacker(seed);
  peer.from = VICTIM;
  peer.send(CHALLENGE);
  const bytes = bytesTo(peer, VICTIM);
  return { succeeded: bytes > 3 * 44, why: `${bytes} bytes for 44` };
}

/** Many questions in one packet. */
export function askManyTimes(seed: number): Outcome {
  const peer = attacker(seed);
  peer.send(...Array.from({ length: 100 }, () => CHALLENGE));
  const bytes = bytesTo(peer, CLIENT);
  return { succeeded: bytes > 2 * 1200, why: `${bytes} bytes` };
}

/** Sends the server's data to a victim who has never said a word. */
export function moveToVictim(seed: number): Outcome {
  const peer = attacker(seed);
  peer.from = VICTIM;
  peer.send(frame(FRAME.PING));
  peer.send(frame(FRAME.PATH_RESPONSE, [], new Uint8Array(8).fill(9)));
  return { succeeded: peer.victim.path.host === VICTIM.host, why: peer.victim.path.host };
}

/** Somebody copies the client's packets from his own address, and has the client itself answer the challenge. */
export function passOnChallenge(seed: number): Outcome {
  const peer = attacker(seed);
  peer.from = VICTIM;
  peer.send(frame(FRAME.PING));
  const challenge = peer.seen.findLast((seen) => seen.kind === "path");
  const token = challenge?.kind === "path" ? challenge.token : new Uint8Array(8);
  peer.from = CLIENT;
  peer.send(frame(FRAME.PATH_RESPONSE, [], token));
  return { succeeded: peer.victim.path.host === VICTIM.host, why: peer.victim.path.host };
}

/** Packets in the name of many victims, each of whom is asked for long. */
export function shoutFromEverywhere(seed: number): Outcome {
  const peer = attacker(seed);
  for (let i = 0; i < 50; i++) {
    peer.from = { host: `10.8.0.${i}`, port: 8 };
    peer.send(concat(frame(FRAME.PING), new Uint8Array(1000)));
  }
  peer.answers.length = 0;
  peer.wait(1000);
  const asked = new Set(peer.answers.map(({ to }) => to.host).filter((host) => host.startsWith("10.8.")));
  return { succeeded: asked.size > 4, why: `${asked.size} addresses are asked at once` };
}

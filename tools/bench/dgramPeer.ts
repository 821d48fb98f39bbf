import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { performance } from "node:perf_hooks";
import { fastestCrypto } from "#crypto/fastest.node.js";
import type { Peer, Work } from "./peer.js";

const TEST_KEY = new Uint8Array(32).fill(7);
const TAG = 16;
const HEADER = 8;
const ACK_EVERY = 32;

/**
 * The limit of node:dgram: packets of one size in a window that loses nothing, an ACK every 32, with the AEAD of the channel
 * (`aead: 1`) or without. No streams, no recovery: nothing that runs in one thread over dgram can be faster.
 * A packet lost all the same is waited for in vain, so it is for loopback and clean links only.
 */
export const dgramPeer: Peer = {
  async serve(work) {
    const socket = createSocket({ type: "udp4", recvBufferSize: 4 << 20 });
    const open = opener(work);
    let received = 0;
    let packets = 0;
    const ack = Buffer.alloc(24);
    socket.on("message", (message, from) => {
      received += open(message);
      packets++;
      const done = received >= work.bytes;
      if (packets % ACK_EVERY !== 0 && !done) return;
      ack.writeDoubleLE(packets, 0);
      ack[8] = done ? 1 : 0;
      socket.send(ack, from.port, from.address);
    });
    socket.bind(work.port, work.host);
    await once(socket, "listening");
    return socket.address().port;
  },
  async run(work) {
    const socket = createSocket({ type: "udp4", sendBufferSize: 4 << 20, recvBufferSize: 1 << 20 });
    socket.bind(0, work.from);
    await once(socket, "listening");
    socket.connect(work.port, work.host);
    await once(socket, "connect");
    const began = performance.now();
    const packets = await send(socket, work);
    const seconds = (performance.now() - began) / 1000;
    socket.close();
    return { seconds, packets };
  },
};

async function send(socket: Socket, work: Work): Promise<number> {
  const size = sizeOf(work);
  const window = Math.max(32, Math.min(512, Math.floor(2e6 / (size + 800))));
  const seal = sealer(work);
  const payload = new Uint8Array(size - overhead(work)).fill(7);
  let acked = 0;
  let done = false;
  let wake = (): void => {};
  socket.on("message", (message) => {
    acked = Math.max(acked, message.readDoubleLE(0));
    done ||= message[8] === 1;
    wake();
  });
  let sent = 0;
  for (let left = work.bytes; left > 0; ) {
    for (; left > 0 && sent - acked < window; left -= payload.length) {
      socket.send(seal(payload));
      sent++;
    }
    if (left > 0) await new Promise<void>((resolve) => (wake = resolve));
  }
  while (!done) await new Promise<void>((resolve) => (wake = resolve));
  return sent;
}

function sizeOf(work: Work): number {
  return Number(work.settings["size"] ?? 1452);
}

function protectedWork(work: Work): boolean {
  return work.settings["aead"] === 1;
}

function overhead(work: Work): number {
  return protectedWork(work) ? HEADER + TAG : 0;
}

function sealer(work: Work): (payload: Uint8Array) => Uint8Array {
  if (!protectedWork(work)) return (payload) => payload;
  const aead = fastestCrypto.aead(TEST_KEY);
  const nonce = Buffer.alloc(12);
  // Far more than the system holds back: nothing is overwritten before it has left.
  const ring = Array.from({ length: 512 }, () => Buffer.alloc(sizeOf(work)));
  let counter = 0;
  return (payload) => {
    const out = ring[counter % ring.length] ?? Buffer.alloc(sizeOf(work));
    out.writeDoubleLE(counter, 0);
    nonce.writeDoubleLE(counter++, 0);
    aead.seal(nonce, out.subarray(0, HEADER), payload, out, HEADER);
    return out;
  };
}

function opener(work: Work): (message: Buffer) => number {
  if (!protectedWork(work)) return (message) => message.length;
  const aead = fastestCrypto.aead(TEST_KEY);
  const nonce = Buffer.alloc(12);
  return (message) => {
    message.copy(nonce, 0, 0, HEADER);
    const ciphertext = message.subarray(HEADER);
    const plain = aead.open(nonce, message.subarray(0, HEADER), ciphertext, ciphertext.subarray(0, -TAG));
    if (!plain) throw new Error("a packet of the bare pump was not authentic");
    return plain.length;
  };
}

import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { test } from "node:test";
import { nativeCrypto } from "#crypto/native.node.js";
import type { Address, DatagramSocket } from "#kernel/ports.js";
import { Pump } from "#kernel/pump.js";
import { systemClock, systemRandom } from "#transport/clock.node.js";
import { Endpoint } from "#transport/endpoint.js";
import { Session } from "#transport/session.js";
import { bindUdp } from "#transport/udp.node.js";
import { transfer } from "../support/streams.js";

// The rows of the interop table that the simulator cannot prove: real sockets, IPv4, IPv6, and a link-local address with its zone.

function linkLocal(): string | undefined {
  for (const [name, addresses] of Object.entries(networkInterfaces()))
    for (const { family, address } of addresses ?? [])
      if (family === "IPv6" && address.startsWith("fe80:")) return `${address}%${name}`;
  return undefined;
}

const hasIpv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === "::1"),
);

interface End {
  readonly endpoint: Endpoint;
  readonly pump: Pump;
  readonly socket: DatagramSocket;
  readonly session: Promise<Session>;
}

async function listen(
  host: string,
  options: Pick<ConstructorParameters<typeof Endpoint>[0], "identity" | "lookup" | "accept">,
): Promise<End> {
  const socket = await bindUdp({ port: 0, host });
  const endpoint = new Endpoint({
    ...{ crypto: nativeCrypto, random: systemRandom, resetKey: systemRandom(32), now: systemClock.now() },
    ...options,
  });
  const sessions: Session[] = [];
  let arrived: (session: Session) => void = () => {};
  const session = new Promise<Session>((resolve) => {
    arrived = resolve;
  });
  const pump: Pump = new Pump(endpoint, socket, systemClock, () => {
    for (let event = endpoint.nextEvent(); event; event = endpoint.nextEvent()) {
      if (event.type !== "connected") continue;
      const { connection, exporter, peerId } = event;
      const turn = (): void => pump.turn();
      const fresh = new Session({ connection, clock: systemClock, crypto: nativeCrypto, turn, exporter, peerId });
      sessions.push(fresh);
      arrived(fresh);
    }
    for (const one of sessions) one.progress();
  });
  socket.onDatagram((bytes, from) => pump.receive(bytes, from));
  return { endpoint, pump, socket, session };
}

async function story(host: string): Promise<void> {
  const [serverKey, clientKey] = [1, 2].map(() => nativeCrypto.x25519KeyPair(systemRandom(32)));
  assert.ok(serverKey && clientKey);
  const psk = systemRandom(32);
  const server = await listen(host, { identity: serverKey, accept: true, lookup: () => ({ psk, id: "client" }) });
  const client = await listen(host, { identity: clientKey, accept: false, lookup: () => undefined });
  try {
    const to: readonly Address[] = [{ host, port: server.socket.port }];
    client.endpoint.connect({ to, peerStatic: serverKey.public, psk, id: "server" }, systemClock.now());
    client.pump.turn();
    const [ours, theirs] = await Promise.all([client.session, server.session]);
    const bytes = systemRandom(1024 * 1024);
    assert.ok(Buffer.from(await transfer(ours, theirs, bytes)).equals(bytes));
    assert.deepEqual(await ours.rekey(), { epoch: 1 });
    assert.ok(Buffer.from(await transfer(theirs, ours, bytes)).equals(bytes));
    await ours.close({ code: 5, reason: "done" });
    assert.equal((await theirs.closed).code, 5);
  } finally {
    for (const { pump, socket } of [server, client]) {
      pump.stop();
      await socket.close();
    }
  }
}

test("1 MiB each way, a rekey and a close over 127.0.0.1", () => story("127.0.0.1"));
test("the same over ::1", { skip: !hasIpv6 && "this machine has no IPv6" }, () => story("::1"));
test(
  "the same over a link-local address with its zone",
  { skip: !linkLocal() && "no interface has a link-local address" },
  () => story(linkLocal() ?? ""),
);

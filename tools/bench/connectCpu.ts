import { randomBytes } from "node:crypto";
import type { Crypto, KeyPair } from "#crypto/crypto.js";
import { toHex } from "#kernel/bytes.js";
import type { Address } from "#kernel/ports.js";
import type { Connection } from "#transport/connection.js";
import { Endpoint } from "#transport/endpoint.js";
import { measureSides, type Sides, type Timed } from "./sides.js";

const PSK = new Uint8Array(32).fill(7);
const SERVER_AT: Address = { host: "10.0.0.1", port: 1 };
/** Between two dials: nobody is over a limit, so no cookie is asked for. */
const APART_MS = 1_100;
const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));

/** From the dial to the first byte that the server can read, without sockets, event loop and files. */
export function measureConnectCpu(crypto: Crypto, rounds = 200): Sides {
  const identity = crypto.x25519KeyPair(random(32));
  const server = endpoint(crypto, identity, true);
  return measureSides(rounds, (timed, round) => oneConnect(crypto, server, identity.public, round * APART_MS, timed));
}

function oneConnect(crypto: Crypto, server: Endpoint, peerStatic: Uint8Array, now: number, timed: Timed): void {
  const client = endpoint(crypto, crypto.x25519KeyPair(random(32)), false);
  const from = { host: "10.0.0.2", port: 2 };
  const init = timed("client", () => {
    client.connect({ to: [SERVER_AT], peerStatic, psk: PSK, id: "server" }, now);
    return client.nextDatagram(now);
  });
  const response = timed("server", () => {
    server.receive(taken(init), from, now);
    return server.nextDatagram(now);
  });
  const first = timed("client", () => {
    client.receive(taken(response), SERVER_AT, now);
    connectionOf(client).openStream()?.write(Uint8Array.of(1));
    return client.nextDatagram(now);
  });
  timed("server", () => {
    server.receive(taken(first), from, now);
    connectionOf(server);
  });
}

function endpoint(crypto: Crypto, identity: KeyPair, accept: boolean): Endpoint {
  return new Endpoint({
    ...{ crypto, random, identity, accept, now: 0 },
    lookup: (key) => ({ psk: PSK, id: toHex(key) }),
    resetKey: PSK,
  });
}

function connectionOf(endpoint: Endpoint): Connection {
  const event = endpoint.nextEvent();
  if (event?.type !== "connected") throw new Error("the bench's ends did not connect");
  return event.connection;
}

/** As it would come out of a socket: its own bytes. */
function taken(datagram: { readonly bytes: Uint8Array } | undefined): Uint8Array {
  if (!datagram) throw new Error("the bench's ends have nothing to say");
  return datagram.bytes.slice();
}

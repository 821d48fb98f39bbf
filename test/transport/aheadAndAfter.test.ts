import assert from "node:assert/strict";
import { test } from "node:test";
import type { Crypto } from "#crypto/crypto.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { ReadyKeyPair } from "#crypto/readyKeyPair.js";
import { toHex } from "#kernel/bytes.js";
import { Endpoint } from "#transport/endpoint.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { CLIENT, SERVER } from "../support/channel.js";

/** Where e begins: PROTOCOL.md §1. */
const E_OF_INIT = 13;
const E_OF_RESPONSE = 21;

function pair() {
  const random = new SeededRandom(77).bytes;
  const made = { keyPairs: 0 };
  const crypto: Crypto = {
    ...nativeCrypto,
    x25519KeyPair(secret) {
      made.keyPairs++;
      return nativeCrypto.x25519KeyPair(secret);
    },
  };
  const [own, theirs] = [nativeCrypto.x25519KeyPair(random(32)), nativeCrypto.x25519KeyPair(random(32))];
  const psk = random(32);
  const opened: string[] = [];
  const endpoint = (accept: boolean): Endpoint =>
    new Endpoint({
      ...{ crypto, random, accept, identity: accept ? theirs : own, resetKey: psk, now: 0 },
      lookup: () => ({ psk, id: "client" }),
      log: ({ role }) => void opened.push(role),
    });
  const [client, server] = [endpoint(false), endpoint(true)];
  let before = 0;
  const dial = (now: number): Uint8Array => {
    client.cancel(before);
    before = client.connect({ to: [SERVER], peerStatic: theirs.public, psk, id: "server" }, now);
    return client.nextDatagram(now)?.bytes ?? new Uint8Array();
  };
  return { made, opened, client, server, dial };
}

test("the Response leaves before the server builds its connection, which counts from the Init on", () => {
  const { opened, server, client, dial } = pair();
  server.receive(dial(0), CLIENT, 0);
  opened.length = 0;
  const response = server.nextDatagram(0);
  assert.ok(response);
  assert.deepEqual(opened, []);
  assert.equal(server.nextDatagram(0), undefined);
  assert.deepEqual(opened, ["responder"], "and then at once");
  client.receive(response.bytes.slice(), SERVER, 0);
  const first = client.nextDatagram(0);
  assert.ok(first);
  server.receive(first.bytes.slice(), CLIENT, 0);
  assert.equal(server.nextEvent()?.type, "connected");
});

test("who asks the server finds the connection that it has only answered so far", () => {
  for (const ask of [
    (server: Endpoint) => assert.equal(server.halfOpen, 1),
    (server: Endpoint) => assert.equal(server.connections, 1),
    (server: Endpoint) => assert.equal(server.stats().sessions.halfOpen, 1),
    (server: Endpoint) => assert.equal(server.deadline, undefined),
    (server: Endpoint) => {
      server.revoke("client", 0);
      assert.equal(server.connections, 0);
    },
    (server: Endpoint) => {
      server.close();
      assert.equal(server.connections, 0);
    },
  ]) {
    const { opened, server, dial } = pair();
    server.receive(dial(0), CLIENT, 0);
    ask(server);
    assert.deepEqual(opened, ["initiator", "responder"]);
  }
});

test("two Inits before one turn: both are answered, both connections are there", () => {
  const { server, dial } = pair();
  for (const now of [0, 1]) server.receive(dial(now), { ...CLIENT, port: CLIENT.port + now }, 1);
  assert.ok(server.nextDatagram(1) && server.nextDatagram(1));
  assert.equal(server.nextDatagram(1), undefined);
  assert.equal(server.halfOpen, 2);
});

test("one ephemeral key is made ahead, at the beginning and when a timer comes; a dial makes none while there is one", () => {
  const { made, client, dial } = pair();
  assert.equal(made.keyPairs, 2, "one for each endpoint");
  dial(0);
  assert.equal(made.keyPairs, 2);
  dial(1);
  assert.equal(made.keyPairs, 3, "two in a row");
  client.tick(2);
  client.tick(3);
  assert.equal(made.keyPairs, 4);
});

test("no ephemeral key serves twice, made ahead or not, on either side", () => {
  const { server, client, dial } = pair();
  const seen = new Set<string>();
  const APART = 2000;
  for (let i = 0; i < 12; i++) {
    if (i % 3 === 0) for (const each of [server, client]) each.tick(i * APART);
    const init = dial(i * APART);
    server.receive(init, CLIENT, i * APART);
    const response = server.nextDatagram(i * APART)?.bytes ?? new Uint8Array();
    seen.add(toHex(init.subarray(E_OF_INIT, E_OF_INIT + 32)));
    seen.add(toHex(response.subarray(E_OF_RESPONSE, E_OF_RESPONSE + 32)));
    while (server.nextDatagram(i * APART)) {}
  }
  assert.equal(seen.size, 24);
  const random = new SeededRandom(5).bytes;
  const keys = new ReadyKeyPair(() => nativeCrypto.x25519KeyPair(random(32)));
  keys.next();
  assert.notDeepEqual(keys.take(), keys.take());
  const spare = keys.next();
  keys.forget();
  assert.deepEqual(spare.secret, new Uint8Array(32), "nobody needs it any more");
});

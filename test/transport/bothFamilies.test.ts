import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { networkInterfaces } from "node:os";
import { test } from "node:test";
import type { Address, DatagramSocket } from "#kernel/ports.js";
import { bindBothFamilies } from "#transport/bothFamilies.node.js";
import { bindUdp, PortUnavailableError } from "#transport/udp.node.js";

const LOOPBACK = { ipv4: "127.0.0.1", ipv6: "::1" };
const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));
const skip = !hasIpv6 && "this machine has no IPv6";

function next(socket: DatagramSocket): Promise<{ text: string; from: Address }> {
  return new Promise((resolve) => {
    socket.onDatagram((bytes, from) => resolve({ text: Buffer.from(bytes).toString(), from }));
  });
}

test("one port hears both families and answers each where it came from", { skip }, async () => {
  const both = await bindBothFamilies({ port: 0, ...LOOPBACK });
  both.onDatagram((bytes, from) => both.send(bytes, from));
  for (const host of [LOOPBACK.ipv4, LOOPBACK.ipv6]) {
    const client = await bindUdp({ port: 0, host });
    const answer = next(client);
    client.send(Buffer.from(host), { host, port: both.port });
    assert.deepEqual(await answer, { text: host, from: { host, port: both.port } });
    await client.close();
  }
  assert.equal(both.congested, false);
  await both.close();
});

test("datagrams to both families in turn, from one port", { skip }, async () => {
  const both = await bindBothFamilies({ port: 0, ...LOOPBACK });
  const clients = await Promise.all([LOOPBACK.ipv4, LOOPBACK.ipv6].map((host) => bindUdp({ port: 0, host })));
  const heard = clients.map(next);
  for (const [i, host] of [LOOPBACK.ipv4, LOOPBACK.ipv6].entries())
    both.send(Buffer.from(host), { host, port: clients[i]?.port ?? 0 });
  assert.deepEqual(await Promise.all(heard), [
    { text: LOOPBACK.ipv4, from: { host: LOOPBACK.ipv4, port: both.port } },
    { text: LOOPBACK.ipv6, from: { host: LOOPBACK.ipv6, port: both.port } },
  ]);
  await Promise.all([both, ...clients].map((socket) => socket.close()));
});

test("an IPv6 socket never speaks for IPv4: one address, one text", { skip }, async () => {
  const ipv6 = await bindUdp({ port: 0, host: "::" });
  const ipv4 = await bindUdp({ port: ipv6.port, host: "127.0.0.1" });
  await ipv4.close();
  await ipv6.close();
});

test("a port that another program has on IPv6 alone is not ours", { skip }, async () => {
  const greedy = createSocket({ type: "udp6", ipv6Only: true });
  greedy.bind(0, "::1");
  await once(greedy, "listening");
  const { port } = greedy.address();
  await assert.rejects(bindBothFamilies({ port, ...LOOPBACK }), PortUnavailableError);
  // Its IPv4 half was given back.
  await (await bindUdp({ port, host: "127.0.0.1" })).close();
  greedy.close();
});

/** A machine on which binding IPv6 fails `failures` times with `code`; counts what is open. */
function machine(code: string, failures: number) {
  const open = new Set<number>();
  const asked: string[] = [];
  let next = 1000;
  let left = failures;
  const bind = async ({ port, host }: { readonly port: number; readonly host: string }): Promise<DatagramSocket> => {
    asked.push(`${host} ${port}`);
    if (host === "::" && left-- > 0) throw new PortUnavailableError(port, Object.assign(new Error(code), { code }));
    const id = next++;
    open.add(id);
    return {
      port: port === 0 ? id : port,
      send: () => assert.fail("nothing to send"),
      onDatagram: () => {},
      close: async () => void open.delete(id),
    };
  };
  return { open, asked, bind };
}

const ANY = { ipv4: "0.0.0.0", ipv6: "::" };

test("a free port that is taken on IPv6 is given back for another, eight times", async () => {
  const lucky = machine("EADDRINUSE", 7);
  await bindBothFamilies({ port: 0, ...ANY }, lucky.bind);
  assert.equal(lucky.open.size, 2);
  assert.deepEqual(lucky.asked.slice(-2), ["0.0.0.0 0", ":: 1007"]);
  const unlucky = machine("EADDRINUSE", 8);
  await assert.rejects(bindBothFamilies({ port: 0, ...ANY }, unlucky.bind), PortUnavailableError);
  assert.deepEqual([unlucky.open.size, unlucky.asked.length], [0, 16]);
});

test("a machine without IPv6 has IPv4 alone, without a word", async () => {
  for (const code of ["EAFNOSUPPORT", "EADDRNOTAVAIL", "EINVAL"]) {
    const { open, bind } = machine(code, 1);
    const socket = await bindBothFamilies({ port: 4760, ...ANY }, bind);
    assert.deepEqual([socket.port, open.size], [4760, 1]);
  }
});

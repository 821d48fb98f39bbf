import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import process from "node:process";
import { test } from "node:test";
import { localMaxDatagram } from "#transport/localMtu.node.js";

const at = (host: string): number => localMaxDatagram({ host, port: 4760 });

test("loopback, and an Ethernet where nobody knows: less by the headers of the family", () => {
  for (const [host, bytes] of [
    ["127.0.0.1", 61_440],
    ["::1", 61_440],
    ["203.0.113.1", 1472],
    ["2001:db8:ffff::1", 1452],
    ["fe80::1%nosuch0", 1452],
    ["fe80::1%../../lo", 1452],
  ] as const)
    assert.equal(at(host), bytes, host);
});

const lan = Object.entries(networkInterfaces()).flatMap(([name, all]) =>
  (all ?? []).filter(({ internal }) => !internal).map((each) => ({ ...each, name })),
);

test("the interface's own MTU towards a neighbour of either family", {
  skip:
    (process.platform !== "linux" && "only Linux tells") || (lan.length === 0 && "no interface leads off this machine"),
}, () => {
  for (const { name, address, family } of lan) {
    const mtu = Number(readFileSync(`/sys/class/net/${name}/mtu`, "utf8"));
    const most = Math.min(Math.max(mtu - (family === "IPv6" ? 48 : 28), 1200), 16_336);
    const size = at(address.startsWith("fe80:") ? `${address}%${name}` : address);
    // A router may have given IPv6 less.
    assert.ok(family === "IPv6" ? size <= most : size === most, `${address} ${size}`);
  }
});

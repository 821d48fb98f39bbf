import assert from "node:assert/strict";
import { test } from "node:test";
import { addressText, parseAddress, withZones } from "#device/target.js";

test("addresses as people write them, and as they are shown", () => {
  for (const [text, host, port] of [
    ["192.168.1.20", "192.168.1.20", 4760],
    ["192.168.1.20:1", "192.168.1.20", 1],
    ["my-pc.local:65535", "my-pc.local", 65_535],
    ["[fe80::1%eth0]:4761", "fe80::1%eth0", 4761],
    ["[FE80:0::1%eth0]", "fe80::1%eth0", 4760],
    ["[::1]:4761", "::1", 4761],
    ["[::ffff:10.0.0.1]:4761", "10.0.0.1", 4761],
    // Without brackets all of it is the address.
    ["fd00::2", "fd00::2", 4760],
    ["fd00::2:4761", "fd00::2:4761", 4760],
    ["fe80::1%eth0", "fe80::1%eth0", 4760],
  ] as const) {
    const address = parseAddress(text);
    assert.deepEqual(address, { host, port }, text);
    assert.deepEqual(parseAddress(addressText(address)), address);
  }
  assert.equal(addressText({ host: "fe80::1%eth0", port: 4760 }), "[fe80::1%eth0]:4760");
  assert.equal(addressText({ host: "10.0.0.1", port: 4760 }), "10.0.0.1:4760");
});

test("what is no address is refused in words", () => {
  for (const text of [
    "",
    "pc:0",
    "pc:65536",
    "pc:port",
    "pc name",
    "1.2.3",
    "1.2.3.256:4760",
    "[1.2.3.4]:4760",
    "[pc]:4760",
    "[::1",
    "::1]:4760",
    "[::1]4760",
    "[fd00::1%eth0]:4760",
    "[fe80::1%]:4760",
    "[fe80::1::2]:4760",
    "fe80::g",
    "10.0.0.1%eth0",
    "[]:4760",
  ])
    assert.throws(() => parseAddress(text), { code: "BAD_ADDRESS", message: /\[fe80::1%eth0\]:4760/ }, text);
});

test("a link-local address without its interface may be on each of ours", () => {
  const own = ["10.0.0.1", "fe80::a%eth0", "fd00::1", "fe80::b%wlan0", "fe80::c%eth0"];
  const at = (host: string): { host: string; port: number } => ({ host, port: 9 });
  assert.deepEqual(
    withZones(["10.0.0.2", "fe80::1", "fd00::2", "fe80::2%eth9"].map(at), own),
    ["10.0.0.2", "fe80::1%eth0", "fe80::1%wlan0", "fd00::2", "fe80::2%eth9"].map(at),
  );
  assert.deepEqual(withZones([at("fe80::1")], ["10.0.0.1"]), []);
});

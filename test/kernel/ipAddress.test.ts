import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { canonicalIp, ipToBytes, ipToText, isLinkLocal } from "#kernel/ipAddress.js";

test("one address, one text, the one that sockets write: RFC 5952", () => {
  for (const [text, canonical] of [
    ["192.168.1.20", "192.168.1.20"],
    ["::1", "::1"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["::", "::"],
    ["FE80::00Ab", "fe80::ab"],
    ["fe80::1%eth0", "fe80::1%eth0"],
    ["FEBF:0::1%12", "febf::1%12"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["fd00:0:0:1::", "fd00:0:0:1::"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["::ffff:a00:1", "10.0.0.1"],
    ["64:ff9b::10.0.0.1", "64:ff9b::a00:1"],
    // Only a link-local address has a zone.
    ["fd00::1%eth0", undefined],
    ["10.0.0.1%eth0", undefined],
    ["fe80::1%", undefined],
    ["fe80::1%a b", undefined],
    ["fe80::1%a/b", undefined],
    ["fe80::1%a%b", undefined],
    ["::ffff:10.0.0.256", undefined],
    ["::10.0.0.1:1", undefined],
    ["1:2:3:4:5:6:7:1.2.3.4", undefined],
    [":", undefined],
    ["", undefined],
    ["host", undefined],
  ] as const)
    assert.equal(canonicalIp(text), canonical, text);
});

test("any 16 bytes come back from their text", () => {
  const group = fc.constantFrom(0, 0, 0, 1, 0xffff, 0xab0);
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      const bytes = Uint8Array.from(groups.flatMap((each) => [each >> 8, each & 255]));
      const text = ipToText(bytes) ?? "";
      assert.deepEqual(ipToBytes(text), text.includes(":") ? bytes : bytes.subarray(12));
      assert.equal(canonicalIp(text), text);
    }),
  );
});

test("link-local is fe80::/10", () => {
  for (const [host, is] of [
    ["fe80::1", true],
    ["febf::1%eth0", true],
    ["fe7f::1", false],
    ["fec0::1", false],
    ["fd00::1", false],
    ["169.254.0.1", false],
  ] as const)
    assert.equal(isLinkLocal(host), is, host);
});

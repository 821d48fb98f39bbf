// IPv6 between two hosts, each in a network namespace of its own. Needs root and iproute2; nft where named.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { HandfastProcess } from "#cli/handfastProcess.node.js";
import { contents, sayYes } from "../cli/devices.js";

const NET = fileURLToPath(new URL("../../../test/lab/net.sh", import.meta.url));
const PREFIX = `hs${process.pid % 100_000}`;

function has(...command: readonly string[]): boolean {
  const [first = "", ...rest] = command;
  return spawnSync(first, rest, { stdio: "ignore" }).status === 0;
}

const skip =
  process.getuid?.() !== 0 ? "needs root (network namespaces)" : !has("ip", "netns", "list") && "needs iproute2";
const skipNft = skip || (!has("nft", "--version") && "needs nft");

type Host = "a" | "b";

function ip(host: Host, ...words: readonly string[]): string {
  return execFileSync("ip", ["-n", PREFIX + host, ...words], { encoding: "utf8" });
}

/** Host a is the PC, b the laptop; between them eth0. */
class Lab {
  readonly base = mkdtempSync(join(tmpdir(), "handfast-lab-"));
  readonly #started: HandfastProcess[] = [];

  constructor(t: TestContext) {
    execFileSync(NET, ["up", PREFIX]);
    for (const host of ["a", "b"] as const) {
      ip(host, "link", "set", "eth1", "down");
      mkdirSync(this.folder(host));
    }
    t.after(async () => {
      await Promise.all(this.#started.map((each) => each.kill("SIGKILL")));
      execFileSync(NET, ["down", PREFIX]);
      rmSync(this.base, { recursive: true, force: true });
    });
  }

  folder(host: Host): string {
    return join(this.base, host);
  }

  run(host: Host, ...args: readonly string[]): HandfastProcess {
    const state = ["--state", join(this.base, `state ${host}`)];
    const name = host === "a" ? "PC" : "Laptop";
    const under = ["ip", "netns", "exec", PREFIX + host];
    const started = new HandfastProcess(name, [...args, "--name", name, ...state], {}, under);
    this.#started.push(started);
    return started;
  }
}

function noIpv4(host: Host): void {
  ip(host, "-4", "addr", "flush", "dev", "eth0");
}

function linkLocal(host: Host): string {
  return / inet6 (fe80:[0-9a-f:]+)\//.exec(ip(host, "-6", "addr", "show", "dev", "eth0"))?.[1] ?? "";
}

/** Everybody on this cable is named by hardware address, IPv4 has never been there. */
async function onIpv6Alone(t: TestContext, story: (lab: Lab, pcAddress: string) => Promise<void>): Promise<void> {
  const lab = new Lab(t);
  for (const host of ["a", "b"] as const) noIpv4(host);
  await story(lab, linkLocal("a"));
}

test("a link without IPv4: found, paired and synced at link-local addresses, nothing configured", { skip }, (t) =>
  onIpv6Alone(t, async (lab, address) => {
    writeFileSync(join(lab.folder("b"), "a.txt"), "over IPv6");
    const pc = lab.run("a", "share", lab.folder("a"));
    const { port, addresses } = await pc.next("listening");
    assert.deepEqual(addresses, [`${address}%eth0`]);
    const laptop = lab.run("b", "join", lab.folder("b"), "--once");
    const found = await laptop.next("found");
    assert.deepEqual([found.address, found.port], [`${address}%eth0`, port]);
    await sayYes(pc, laptop);
    const connected = await laptop.next("connected");
    assert.deepEqual([connected.address, connected.port], [`${address}%eth0`, port]);
    assert.equal(await laptop.ended, 0);
    assert.deepEqual(contents(lab.folder("a")), contents(lab.folder("b")));

    // Again by an address that a person types, without and with its interface; a wrong one is told at once.
    for (const peer of [`[${address}]:${port}`, `[${address}%eth0]:${port}`]) {
      const again = lab.run("b", "join", lab.folder("b"), "--once", "--peer", peer);
      assert.equal(await again.ended, 0);
      assert.equal(again.count("pairing"), 0);
    }
    const wrong = lab.run("b", "join", lab.folder("b"), "--once", "--peer", `[${address}%eth7]:${port}`);
    assert.equal((await wrong.next("error")).code, "BAD_ADDRESS");
  }),
);

test("a link to scan on a network without IPv4 leads to the PC", { skip }, (t) =>
  onIpv6Alone(t, async (lab, address) => {
    const pc = lab.run("a", "share", lab.folder("a"), "--qr");
    const { link } = await pc.next("pairing-link");
    const laptop = lab.run("b", "join", lab.folder("b"), "--once", "--link", "-");
    laptop.type(link);
    await pc.next("pairing-approval");
    pc.answer(true);
    assert.equal((await laptop.next("connected")).address, `${address}%eth0`);
    assert.equal(await laptop.ended, 0);
  }),
);

/** Paired over IPv4, with a session that stays. */
async function overIpv4(lab: Lab): Promise<HandfastProcess> {
  const pc = lab.run("a", "share", lab.folder("a"));
  await pc.next("listening");
  const laptop = lab.run("b", "join", lab.folder("b"), "--peer", "10.77.0.1");
  await sayYes(pc, laptop);
  assert.equal((await laptop.next("connected")).address, "10.77.0.1");
  await laptop.next("synced");
  return laptop;
}

for (const [host, what] of [
  ["b", "the laptop"],
  ["a", "the PC"],
] as const)
  test(`${what} loses its IPv4 address: the session is found again over IPv6`, { skip }, async (t) => {
    const lab = new Lab(t);
    const laptop = await overIpv4(lab);
    noIpv4(host);
    const { address } = await laptop.next("connected");
    assert.equal(address, `${linkLocal("a")}%eth0`);
    writeFileSync(join(lab.folder("b"), "later.txt"), "over IPv6");
    await laptop.next("file", ({ path }) => path === "later.txt");
  });

test("a network that stops carrying IPv4 without a word: the session is found again over IPv6", {
  skip: skipNft,
}, async (t) => {
  const lab = new Lab(t);
  const laptop = await overIpv4(lab);
  const rules = "add table ip hf; add chain ip hf in { type filter hook input priority 0; policy drop; }";
  execFileSync("ip", ["netns", "exec", `${PREFIX}a`, "nft", rules]);
  // Nothing but silence tells: the keep-alive finds out within ten seconds, a file that is to be sent at once.
  const died = Date.now();
  writeFileSync(join(lab.folder("b"), "later.txt"), "over IPv6");
  const { address } = await laptop.next("connected");
  assert.equal(address, `${linkLocal("a")}%eth0`);
  t.diagnostic(`found again after ${Date.now() - died} ms`);
  await laptop.next("file", ({ path }) => path === "later.txt");
});

// Discovery beside other implementations, in network namespaces. Needs root and iproute2; avahi and python3-zeroconf where named.
import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { DeviceProcess, type Line } from "../discovery/processes.js";

const LAB = fileURLToPath(new URL("../../../test/lab/", import.meta.url));
const PREFIX = `hf${process.pid % 100_000}`;
const LIMIT = { timeout: 60_000 };

function has(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

const skipLab =
  process.getuid?.() !== 0 ? "needs root (network namespaces)" : !has("ip", "netns", "list") && "needs iproute2";
const skipAvahi =
  skipLab ||
  (!has("sh", "-c", "command -v avahi-daemon avahi-browse avahi-publish dbus-daemon") &&
    "needs avahi-daemon, avahi-utils, dbus");
const skipZeroconf = skipLab || (!has("/usr/bin/python3", "-c", "import zeroconf") && "needs python3-zeroconf");

function on(host: "a" | "b"): string[] {
  return ["ip", "netns", "exec", PREFIX + host];
}

function net(what: "up" | "down"): void {
  execFileSync(`${LAB}net.sh`, [what, PREFIX], { stdio: ["ignore", "inherit", "inherit"] });
}

/** A program of somebody else: its lines, until its input ends. */
class Peer implements AsyncDisposable {
  readonly lines: string[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  #wake: () => void = () => {};

  constructor(host: "a" | "b", command: readonly string[]) {
    const [first = "", ...rest] = [...on(host), ...command];
    this.#child = spawn(first, rest);
    this.#child.stderr.pipe(process.stderr);
    let text = "";
    this.#child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const whole = text.split("\n");
      text = whole.pop() ?? "";
      this.lines.push(...whole);
      this.#wake();
    });
    this.#child.on("exit", () => this.#wake());
  }

  async until(fits: (line: string) => boolean): Promise<string> {
    for (;;) {
      const found = this.lines.find(fits);
      if (found !== undefined) return found;
      if (this.#child.exitCode !== null) throw new Error(`ended without it: ${this.lines.join(" | ")}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.stdin.end();
    await exited;
  }
}

function ipv4Of({ addresses = [] }: Line): string[] {
  return addresses.filter((address) => !address.includes(":"));
}

/** Where a link-local address was heard. */
function zonesOf({ addresses = [] }: Line): string[] {
  return addresses.flatMap((address) => address.split("%")[1] ?? []);
}

describe("discovery beside others", { skip: skipLab }, () => {
  before(() => net("up"));
  after(() => net("down"));

  test("two of ours on two cables at once: both addresses, and one cable pulled", LIMIT, async () => {
    await using pc = new DeviceProcess("advertise", ["eth0,eth1", "4760"], on("a"));
    await using laptop = new DeviceProcess("browse", ["eth0,eth1"], on("b"));
    const both = await laptop.until((line) => line.addresses?.length === 4 && line.event !== "open");
    assert.deepEqual(ipv4Of(both).sort(), ["10.77.0.1", "10.78.0.1"]);
    assert.deepEqual(zonesOf(both).sort(), ["eth0", "eth1"]);
    execFileSync("ip", ["-n", `${PREFIX}a`, "addr", "del", "10.78.0.1/24", "dev", "eth1"]);
    const rest = await laptop.until(
      (line) => ipv4Of(line).join() === "10.77.0.1" && zonesOf(line).length === 2 && line.instance !== both.instance,
    );
    execFileSync("ip", ["-n", `${PREFIX}a`, "addr", "add", "10.78.0.1/24", "dev", "eth1"]);
    await laptop.until(
      (line) => line.event === "found" && line.instance !== both.instance && line.instance !== rest.instance,
    );
    assert.equal(await pc.end(), 0);
    assert.equal(await laptop.end(), 0);
  });

  test("a port 5353 that another program keeps for itself is a sentence, and passes", LIMIT, async () => {
    const script =
      'require("dgram").createSocket("udp4").bind(5353, () => console.log("bound")); process.stdin.resume()';
    const greedy = new Peer("b", [process.execPath, "-e", `${script}.on("end", () => process.exit())`]);
    await greedy.until((line) => line === "bound");
    await using laptop = new DeviceProcess("browse", ["eth0"], on("b"));
    const { problems } = await laptop.until((line) => line.event === "open");
    assert.match(problems?.join() ?? "", /Another program keeps UDP port 5353 on eth0/);
    await greedy[Symbol.asyncDispose]();
    await using pc = new DeviceProcess("advertise", ["eth0", "4761"], on("a"));
    await laptop.until((line) => line.event === "found" && line.port === 4761);
    assert.equal(await laptop.end(), 0);
    assert.equal(await pc.end(), 0);
  });

  test("avahi resolves our device and sees it go", { ...LIMIT, skip: skipAvahi }, async () => {
    await using avahi = new Peer("a", [`${LAB}avahi.sh`, "browse"]);
    await using pc = new DeviceProcess("advertise", ["eth0", "4762", "Ana"], on("b"));
    // =;interface;protocol;name;type;domain;host;address;port;txt
    const resolved = await avahi.until((line) => line.startsWith("=;eth0;IPv4;hf-"));
    const [, , , name, , , host, address, port, txt] = resolved.split(";");
    assert.match(host ?? "", /^hf-[0-9a-f]{16}\.local$/);
    assert.deepEqual([address, port], ["10.77.0.2", "4762"]);
    assert.match(txt ?? "", /"v=1"/);
    assert.doesNotMatch(txt ?? "", /Ana/);
    pc.say("open");
    await pc.until((line) => line.event === "window");
    // avahi-browse resolves a name once: a second one sees what the window shows.
    await using later = new Peer("a", [`${LAB}avahi.sh`, "browse"]);
    await later.until(
      (line) => line.startsWith("=;eth0;IPv4;hf-") && line.includes('"n=Ana"') && line.includes('"p=1"'),
    );
    assert.equal(await pc.end(), 0);
    await avahi.until((line) => line.startsWith(`-;eth0;IPv4;${name}`));
  });

  test("avahi resolves our device, that has no IPv4", { ...LIMIT, skip: skipAvahi }, async (t) => {
    const onB = (what: "add" | "del"): void =>
      void execFileSync("ip", ["-n", `${PREFIX}b`, "addr", what, "10.77.0.2/24", "dev", "eth0"]);
    onB("del");
    t.after(() => onB("add"));
    await using avahi = new Peer("a", [`${LAB}avahi.sh`, "browse"]);
    await using pc = new DeviceProcess("advertise", ["eth0", "4766"], on("b"));
    const resolved = await avahi.until((line) => line.startsWith("=;eth0;IPv6;hf-") && line.includes(";4766;"));
    assert.match(resolved.split(";")[7] ?? "", /^fe80::/);
    assert.equal(await pc.end(), 0);
  });

  test("we find a service that avahi publishes, and see it go", { ...LIMIT, skip: skipAvahi }, async () => {
    await using laptop = new DeviceProcess("browse", ["eth0"], on("b"));
    const avahi = new Peer("a", [`${LAB}avahi.sh`, "publish", "Avahi HF", "4242", "v=1", "p=1", "n=by avahi"]);
    const found = await laptop.until((line) => line.event === "found" && line.port === 4242);
    assert.deepEqual([found.instance, found.name], ["Avahi HF._handfast._udp.local", "by avahi"]);
    assert.ok(found.addresses?.includes("10.77.0.1"));
    await avahi[Symbol.asyncDispose]();
    await laptop.until((line) => line.event === "lost" && line.instance === found.instance);
    assert.equal(await laptop.end(), 0);
  });

  test("our device beside avahi on one machine, both on port 5353", { ...LIMIT, skip: skipAvahi }, async () => {
    await using avahi = new Peer("b", [`${LAB}avahi.sh`, "browse"]);
    await using pc = new DeviceProcess("advertise", ["eth0", "4763"], on("b"));
    await using laptop = new DeviceProcess("browse", ["eth0"], on("a"));
    await laptop.until((line) => line.event === "found" && line.port === 4763);
    await avahi.until((line) => line.startsWith("=") && line.includes(";4763;"));
    assert.equal(await pc.end(), 0);
    assert.equal(await laptop.end(), 0);
  });

  test("python-zeroconf resolves our device and sees it go", { ...LIMIT, skip: skipZeroconf }, async () => {
    await using zeroconf = new Peer("a", ["/usr/bin/python3", `${LAB}zeroconf_peer.py`, "browse"]);
    await using pc = new DeviceProcess("advertise", ["eth0", "4764"], on("b"));
    const line = await zeroconf.until((each) => each.includes('"found"') && each.includes("4764"));
    const { addresses, keys, instance } = JSON.parse(line) as { addresses: string[]; keys: string[]; instance: string };
    assert.deepEqual([addresses, keys], [["10.77.0.2"], ["t", "v"]]);
    assert.equal(await pc.end(), 0);
    await zeroconf.until((each) => each.includes('"lost"') && each.includes(instance));
  });

  test("we find a service that python-zeroconf publishes, and see it go", {
    ...LIMIT,
    skip: skipZeroconf,
  }, async () => {
    await using laptop = new DeviceProcess("browse", ["eth0"], on("b"));
    const zeroconf = new Peer("a", ["/usr/bin/python3", `${LAB}zeroconf_peer.py`, "publish", "10.77.0.1", "4243"]);
    const found = await laptop.until((line) => line.event === "found" && line.port === 4243);
    assert.deepEqual([found.instance, ipv4Of(found)], ["zc peer._handfast._udp.local", ["10.77.0.1"]]);
    await zeroconf[Symbol.asyncDispose]();
    await laptop.until((line) => line.event === "lost" && line.instance === found.instance);
    assert.equal(await laptop.end(), 0);
  });
});

// A device as a process of its own: announces itself on the interfaces given, says what it does, ends with its standard input.
import process from "node:process";
import { nativeCrypto } from "#crypto/native.node.js";
import { Mdns } from "#discovery/mdns.node.js";
import { systemClock, systemRandom } from "#transport/clock.node.js";

const [role, interfaces = "lo", port = "4760", name = "Ana's PC"] = process.argv.slice(2);
const say = (event: object): void => void process.stdout.write(`${JSON.stringify(event)}\n`);
const options = { clock: systemClock, random: systemRandom, crypto: nativeCrypto, interfaces: interfaces.split(",") };
const discovery = await Mdns.open(options);
say({ event: "open", problems: discovery.status.problems, addresses: discovery.addresses });

if (role === "advertise") {
  const irk = new Uint8Array(16).fill(Number(port) & 255);
  const advertisement = discovery.advertise({ port: Number(port), irk, name, service: "notes" });
  process.stdin.on("data", (line: Buffer) => {
    advertisement.setPairing(line.toString().trim() === "open");
    say({ event: "window" });
  });
} else {
  discovery.browse({
    onFound: (host) => say({ event: "found", ...host, tag: undefined }),
    onUpdated: (host) => say({ event: "updated", ...host, tag: undefined }),
    onLost: (instance) => say({ event: "lost", instance }),
  });
  process.stdin.resume();
}
const end = async (): Promise<void> => {
  await discovery.close();
  say({ event: "closed", drops: discovery.status.drops });
  process.stdin.destroy();
};
process.stdin.on("end", () => void end());

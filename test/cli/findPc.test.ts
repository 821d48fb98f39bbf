import assert from "node:assert/strict";
import { test } from "node:test";
import type { Answers } from "#cli/answers.node.js";
import type { Context } from "#cli/context.node.js";
import { UsageError } from "#cli/exitCodes.js";
import { findPcToPair, type PcToPair, targetAt } from "#cli/findPc.node.js";
import { Screen } from "#cli/screen.node.js";
import type { Client } from "#device/client.js";
import type { FoundDevice } from "#device/discovered.js";
import { parseAddress, withZones } from "#device/target.js";

/** Two PCs are open to pairing; a person at a terminal, or a program, answers `line`. */
async function choose(line: string | undefined, fromTerminal: boolean): Promise<PcToPair & { asked: string }> {
  let asked = "";
  const screen = new Screen(false);
  screen.openQuestion = (text) => {
    asked = text;
  };
  screen.say = () => {};
  const answers = {
    fromTerminal,
    askLine: async (show: () => void) => {
      show();
      return line;
    },
  } as unknown as Answers;
  const client = {
    async *discover({ signal }: { signal: AbortSignal }): AsyncGenerator<FoundDevice> {
      for (const [i, name] of ["Study", "Kitchen\u001b[2J"].entries())
        yield {
          ...{ instance: name, name, pairing: true, tag: undefined },
          addresses: [{ host: `10.0.0.${i + 1}`, port: 4760 }],
        };
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  } as unknown as Client;
  const context: Context = { screen, answers, signal: new AbortController().signal, state: "", options: {} };
  return { ...(await findPcToPair(context, client, { wait: 1 })), asked };
}

test("several PCs are open to pairing: a person chooses by number", async () => {
  const { target, asked } = await choose(" 2", true);
  assert.equal(target.addresses[0]?.host, "10.0.0.2");
  assert.match(asked, /1 {2}"Study" at 10\.0\.0\.1:4760\n {2}2 {2}"Kitchen\?\[2J" at/);
});

test("no number of the list, no answer, or no terminal: the list and which options choose", async () => {
  const answers = [
    ["3", true],
    ["0", true],
    ["", true],
    ["1.5", true],
    ["y", true],
    [undefined, true],
    ["1", false],
  ] as const;
  const refused = answers.map(([line, fromTerminal]) =>
    assert.rejects(
      choose(line, fromTerminal),
      (error: unknown) => error instanceof UsageError && /--to <name>.*"Study" at 10\.0\.0\.1:4760/.test(error.message),
    ),
  );
  await Promise.all(refused);
});

test("--peer: an address stands for itself, a name for what the system knows, a zone has to be of this machine", async () => {
  const client = {
    at: (text: string) => ({ name: undefined, addresses: withZones([parseAddress(text)], ["fe80::1%lo"]) }),
  } as unknown as Client;
  const at = async (peer: string): Promise<string[]> =>
    (await targetAt(client, peer, new AbortController().signal)).addresses.map(({ host, port }) => `${host} ${port}`);
  assert.deepEqual(await at("[FD00::1]:9"), ["fd00::1 9"]);
  assert.deepEqual(await at("fe80::1"), ["fe80::1%lo 4760"]);
  assert.ok((await at("localhost:9")).every((each) => ["127.0.0.1 9", "::1 9"].includes(each)));
  await assert.rejects(at("[fe80::1%nosuch0]:9"), {
    code: "BAD_ADDRESS",
    message: /an interface, nosuch0, that is not/,
  });
});

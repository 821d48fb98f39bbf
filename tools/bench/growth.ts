import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Session } from "#transport/session.js";
import type { SessionStream } from "#transport/sessionStream.js";
import { median } from "./figures.js";
import { Host, SERVER } from "./host.js";
import type { Work } from "./peer.js";

const MANY = 1000;
/** Messages of one session or stream that are under way together; when all are answered it is the next one's turn. */
const WAVE = 32;
/** Waves of each that come first: later a peer is acknowledged less often than at the beginning (transport/PROTOCOL.md §6.2). */
const WARM = 4;
/** Fills a packet: no two of them, nor parts of two, are in one. */
const MESSAGE = 1390;
const DATAGRAM = 1000;
const SERVER_HOST = "127.0.0.1";

/** CPU microseconds (user and system) of the server for a packet that comes or goes, as medians. */
export interface Growth {
  readonly what: string;
  readonly one: number;
  readonly many: number;
  readonly ratio: number;
}

interface Load {
  readonly server: ServerProcess;
  /** The answer to one message of the session or stream whose turn it is. */
  readonly ask: (turn: number) => Promise<unknown>;
  readonly close: () => Promise<unknown>;
}

/** Messages that are answered at once, in turn over one session and over a thousand, one stream and a thousand: rounds in turns. */
export async function measureGrowth(rounds: number, messages: number): Promise<readonly Growth[]> {
  return [
    await compare("sessions", rounds, messages, sessionsLoad),
    await compare("streams in a session", rounds, messages, streamsLoad),
  ];
}

async function compare(
  what: string,
  rounds: number,
  messages: number,
  load: (count: number) => Promise<Load>,
): Promise<Growth> {
  const loads = [await load(1), await load(MANY)];
  const costs: number[][] = [[], []];
  for (let round = -1; round < rounds; round++)
    for (const [i, load] of loads.entries()) {
      // Each round with other sessions, or streams, than the one before.
      const cost = await load.server.costOf(() => exchange(load, messages, (round + 1) * (messages / WAVE)));
      // The first round only warms up.
      if (round >= 0) costs[i]?.push(cost);
    }
  for (const { server, close } of loads) {
    await close();
    server.stop();
  }
  const [one = 0, many = 0] = costs.map(median);
  return { what: `1 to ${MANY} ${what}`, one, many, ratio: many / one };
}

async function exchange({ ask }: Pick<Load, "ask">, messages: number, from = 0): Promise<void> {
  for (let turn = from; turn < from + messages / WAVE; turn++)
    await Promise.all(Array.from({ length: WAVE }, () => ask(turn)));
}

async function sessionsLoad(count: number): Promise<Load> {
  const server = await ServerProcess.start({ times: count, settings: {} });
  const clients = await Promise.all(Array.from({ length: count }, (_, i) => openClient(server.work, i)));
  const message = new Uint8Array(DATAGRAM);
  const answers = clients.map(({ session }) => session.datagrams());
  const ask = async (turn: number): Promise<void> => {
    clients[turn % count]?.session.sendDatagram(message);
    await answers[turn % count]?.next();
  };
  await exchange({ ask }, count * WARM * WAVE);
  return { server, ask, close: () => Promise.all(clients.map(({ host }) => host.close())) };
}

async function streamsLoad(count: number): Promise<Load> {
  const server = await ServerProcess.start({ times: 1, settings: { streams: MANY } });
  const { host, session } = await openClient(server.work, 0);
  const talks: Talk[] = [];
  for (let i = 0; i < count; i++) talks.push(new Talk(await session.openStream()));
  const ask = async (turn: number): Promise<void> => talks[turn % count]?.ask();
  for (let i = 0; i < count; i++) await ask(i);
  return { server, ask, close: () => host.close() };
}

/** Messages on one stream and their answers, in order. */
class Talk {
  readonly #stream: SessionStream;
  readonly #waiting: (() => void)[] = [];
  #received = 0;

  constructor(stream: SessionStream) {
    this.#stream = stream;
    void this.#listen().catch(() => {});
  }

  async ask(): Promise<void> {
    const answered = new Promise<void>((resolve) => this.#waiting.push(resolve));
    await this.#stream.write(new Uint8Array(MESSAGE));
    await answered;
  }

  async #listen(): Promise<void> {
    for (let bytes = await this.#stream.read(); bytes; bytes = await this.#stream.read())
      for (this.#received += bytes.length; this.#received >= MESSAGE; this.#received -= MESSAGE)
        this.#waiting.shift()?.();
  }
}

/** Each from an address of its own: a server takes twenty dials a second from one. */
async function openClient(work: Work, index: number): Promise<{ host: Host; session: Session }> {
  const from = `127.1.${index >> 8}.${index & 255}`;
  const host = await Host.open(work, `client ${index}`, from, 0);
  return { host, session: await host.connect(work) };
}

/** The server in a process of its own. */
class ServerProcess {
  readonly work: Work;
  readonly #child: ChildProcess;

  static async start(settings: Pick<Work, "times" | "settings">): Promise<ServerProcess> {
    const work: Work = { kind: "echo", bytes: 0, host: SERVER_HOST, from: "", port: 0, ...settings };
    const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(work)]);
    const [port] = (await once(child, "message")) as [number];
    return new ServerProcess(child, { ...work, port });
  }

  private constructor(child: ChildProcess, work: Work) {
    this.#child = child;
    this.work = work;
  }

  async costOf(load: () => Promise<void>): Promise<number> {
    await this.#ask();
    await load();
    return await this.#ask();
  }

  stop(): void {
    this.#child.kill("SIGKILL");
  }

  /** Microseconds a packet since it was last asked. */
  async #ask(): Promise<number> {
    const answer = once(this.#child, "message");
    this.#child.send("cost");
    const [cost] = (await answer) as [number];
    return cost;
  }
}

async function serve(work: Work): Promise<void> {
  const host = await Host.open(work, SERVER, work.host, 0);
  host.onSession = (session) => {
    void answerDatagrams(session);
    void answerStreams(session);
  };
  let since = { cpu: process.cpuUsage(), packets: host.packets };
  process.on("message", () => {
    const { user, system } = process.cpuUsage(since.cpu);
    process.send?.((user + system) / (host.packets - since.packets));
    since = { cpu: process.cpuUsage(), packets: host.packets };
  });
  process.send?.(host.port);
}

async function answerDatagrams(session: Session): Promise<void> {
  for await (const datagram of session.datagrams()) session.sendDatagram(datagram);
}

async function answerStreams(session: Session): Promise<void> {
  for await (const stream of session.incomingStreams()) void answerStream(stream).catch(() => {});
}

async function answerStream(stream: SessionStream): Promise<void> {
  for (let bytes = await stream.read(); bytes; bytes = await stream.read()) await stream.write(bytes);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await serve(JSON.parse(process.argv[2] ?? "{}") as Work);

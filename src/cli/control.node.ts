import { unlink } from "node:fs/promises";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { platform } from "node:os";
import { join } from "node:path";
import type { WayName } from "./pairingWay.js";

/** The longest name of a Unix socket that every system takes. */
const MAX_PATH = 100;
const MAX_LINE = 1_000_000;
const ANSWER_MS = 5000;

export type ControlRequest =
  | { readonly command: "status" }
  | { readonly command: "forget"; readonly device: string }
  | { readonly command: "pair"; readonly seconds: number; readonly method?: WayName; readonly insist?: boolean };

export type ControlAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string };

/**
 * How other commands reach the process that holds a state directory: a socket inside it, one line of JSON each way.
 * The directory's mode 0700 is its only guard, so there is none where sockets are not files (Windows).
 */
export class Control {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Call only while holding the lock of the directory. Undefined where it cannot be had; everything else works without. */
  static async listen(
    state: string,
    answer: (request: ControlRequest) => Promise<ControlAnswer>,
  ): Promise<Control | undefined> {
    const path = pathOf(state);
    if (path === undefined) return undefined;
    await unlink(path).catch(() => {});
    const server = createServer();
    const control = new Control(server);
    server.on("connection", (socket) => control.#serve(socket, answer));
    return await new Promise((resolve) => {
      server.once("error", () => resolve(undefined));
      server.listen(path, () => resolve(control));
    });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket, answer: (request: ControlRequest) => Promise<ControlAnswer>): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    void readLine(socket)
      .then(async (line) => answer(JSON.parse(line ?? "") as ControlRequest))
      .catch((error: unknown): ControlAnswer => ({ ok: false, code: "INTERNAL", message: String(error) }))
      .then((reply) => socket.end(`${JSON.stringify(reply)}\n`));
  }
}

/** Asks the process that runs on this state directory. Undefined when there is none, or it cannot be asked. */
export async function askRunning(state: string, request: ControlRequest): Promise<ControlAnswer | undefined> {
  const path = pathOf(state);
  if (path === undefined) return undefined;
  const socket = createConnection(path);
  try {
    socket.setTimeout(ANSWER_MS, () => socket.destroy());
    const connected = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
      socket.once("close", () => resolve(false));
    });
    if (!connected) return undefined;
    socket.on("error", () => {});
    socket.write(`${JSON.stringify(request)}\n`);
    const line = await readLine(socket);
    return line === undefined ? undefined : (JSON.parse(line) as ControlAnswer);
  } finally {
    socket.destroy();
  }
}

function pathOf(state: string): string | undefined {
  const path = join(state, "control.sock");
  return platform() === "win32" || Buffer.byteLength(path) > MAX_PATH ? undefined : path;
}

async function readLine(socket: Socket): Promise<string | undefined> {
  let text = "";
  return await new Promise((resolve) => {
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      const end = text.indexOf("\n");
      if (end >= 0) resolve(text.slice(0, end));
      else if (text.length > MAX_LINE) resolve(undefined);
    });
    socket.once("close", () => resolve(undefined));
  });
}

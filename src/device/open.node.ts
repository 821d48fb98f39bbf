import { platform } from "node:os";
import { FileBondStore } from "#bonds/fileStore.node.js";
import type { BondStore } from "#bonds/store.js";
import type { Crypto } from "#crypto/crypto.js";
import { fastestCrypto } from "#crypto/fastest.node.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { nobleCrypto } from "#crypto/noble.js";
import { Mdns } from "#discovery/mdns.node.js";
import { HandfastError } from "#kernel/errors.js";
import { isDeviceName } from "#pairing/deviceName.js";
import { bindBothFamilies } from "#transport/bothFamilies.node.js";
import { systemClock, systemRandom } from "#transport/clock.node.js";
import { watchHost } from "#transport/hostWatch.node.js";
import { keyLogInto } from "#transport/keyLog.node.js";
import { localMaxDatagram } from "#transport/localMtu.node.js";
import { qlogInto } from "#transport/qlog.node.js";
import type { QlogFormat } from "#transport/qlogDialect.js";
import { REKEY_LIMITS, type RekeyLimits } from "#transport/rekeyLimits.js";
import { Client } from "./client.js";
import type { DevicePorts } from "./devicePorts.js";
import { measureLoop } from "./loopLag.node.js";
import { Server, type ServerOptions } from "./server.js";
import { DEFAULT_PORT } from "./target.js";

type BackEnd = "fastest" | "node" | "noble";
const BACK_ENDS: Readonly<Record<BackEnd, Crypto>> = {
  fastest: fastestCrypto,
  node: nativeCrypto,
  noble: nobleCrypto,
};

const EVERYWHERE = { ipv4: "0.0.0.0", ipv6: "::" };
const LOOPBACK = { ipv4: "127.0.0.1", ipv6: "::1" };

export interface OpenOptions {
  /** What people see on other screens; 1 to 64 bytes, one visible line. */
  readonly name: string;
  /** The directory that holds identity and bonds (mode 0700), or a store of your own. */
  readonly store: string | BondStore;
  /** Your application; both sides must name the same. */
  readonly service?: string;
  /** UDP port; 0 takes any free one. A server listens on 4760 unless told otherwise, a client on a free one. */
  readonly port?: number;
  /** Network interfaces to use, by name; by default those of HANDFAST_INTERFACE (`eth0,wlan0`), or all that lead off this machine. */
  readonly interfaces?: readonly string[];
  /** All give the same bytes. "fastest", the default: node:crypto, with libsodium's AEAD, native or in WebAssembly, where one of the optional packages is installed. */
  readonly crypto?: BackEnd;
  /** Bytes that all sessions together may hold of what was sent to us and of what we send: 256 MiB unless said, at least 16. */
  readonly memoryLimit?: number;
  /** Rounds the size of every data packet up to a multiple of so many bytes, 1 to 1200: an onlooker learns less from sizes. */
  readonly padTo?: number;
  /** Measure how late this process hears its timers, for `stats().eventLoopLagP99Ms`. */
  readonly measureLoop?: boolean;
  /** Instead of the usual limits of one epoch. */
  readonly rekeyLimits?: Partial<RekeyLimits>;
  /** Writes a qlog trace (`.sqlog`) of every connection into this folder: numbers and lengths, never contents or keys. */
  readonly qlogDir?: string;
  /** "0.3", which qvis reads best, unless said otherwise; "latest": the newest drafts (QUIC events 12). */
  readonly qlogFormat?: QlogFormat;
  /** Appends the secrets of every connection to this file, and says so in a warning of the process: whoever reads it reads everything. */
  readonly keyLogFile?: string;
}

/**
 * Opens a PC: announces it, accepts bonded devices. Throws StateError, PortUnavailableError, LogUnwritableError, HandfastError BAD_NAME,
 * RangeError for a `memoryLimit` or a `padTo` that is none.
 */
export async function createServer(options: OpenOptions): Promise<Server> {
  return await open(options, options.port ?? DEFAULT_PORT, (ports, server) => new Server(ports, server));
}

/** Opens a client device. Throws the same as `createServer`. */
export async function createClient(options: OpenOptions): Promise<Client> {
  return await open(options, options.port ?? 0, (ports, client) => new Client(ports, client));
}

async function open<Device>(
  options: OpenOptions,
  port: number,
  make: (ports: DevicePorts, options: ServerOptions) => Device,
): Promise<Device> {
  const { name, rekeyLimits, interfaces = process.env["HANDFAST_INTERFACE"]?.split(",") } = options;
  if (!isDeviceName(name))
    throw new HandfastError(
      "BAD_NAME",
      "A device name is one visible line of 1 to 64 bytes. Choose another with --name.",
    );
  const crypto: Crypto = BACK_ENDS[options.crypto ?? "fastest"];
  const logs = openLogs(options);
  const store = await openStore(options.store);
  const opened: { close(): Promise<void> }[] = [store];
  try {
    const onlyLoopback = interfaces?.every((each) => each.startsWith("lo"));
    const socket = await bindBothFamilies({ port, ...(onlyLoopback ? LOOPBACK : EVERYWHERE) });
    opened.unshift(socket);
    const shared = { clock: systemClock, random: systemRandom, crypto };
    const discovery = await Mdns.open({ ...shared, ...(interfaces && { interfaces }) });
    opened.unshift(discovery);
    return make(
      {
        ...{ ...shared, store, socket, discovery },
        maxDatagram: localMaxDatagram,
        watchHost,
        memoryLimit: options.memoryLimit,
        padTo: options.padTo,
        loopLag: options.measureLoop ? measureLoop() : undefined,
        ...logs,
        ...(rekeyLimits && { rekeyLimits: { ...REKEY_LIMITS, ...rekeyLimits } }),
      },
      { name, platform: platform(), service: options.service ?? "handfast" },
    );
  } catch (error) {
    // What stayed open would keep the program from ending.
    for (const each of opened) await each.close();
    throw error;
  }
}

function openLogs({ qlogDir, qlogFormat, keyLogFile }: OpenOptions): Pick<DevicePorts, "log" | "keyLog"> {
  const warn = (message: string): void => process.emitWarning(message, { code: "HANDFAST_KEYLOG" });
  return {
    ...(qlogDir !== undefined && { log: qlogInto(qlogDir, qlogFormat) }),
    ...(keyLogFile !== undefined && { keyLog: keyLogInto(keyLogFile, warn) }),
  };
}

async function openStore(store: string | BondStore): Promise<BondStore> {
  return typeof store === "string" ? await FileBondStore.open({ directory: store, random: systemRandom }) : store;
}

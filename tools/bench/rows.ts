import { selfSigned } from "./certificate.js";
import type { LinkSettings } from "./lab/lab.js";
import { wireGuardInstalled } from "./lab/wireGuard.js";
import type { Work } from "./peer.js";
import { udxInstalled } from "./udxPeer.js";

/** One line of a table: a peer, its settings, and the line it is compared with. */
export interface Row {
  readonly name: string;
  readonly peer: string;
  readonly settings: Work["settings"];
  /** Through WireGuard. */
  readonly tunnel?: boolean;
}

export interface Table {
  readonly title: string;
  /** An emulated cable; undefined: the loopback. */
  readonly link?: LinkSettings;
  readonly mtu?: number;
  readonly work: Pick<Work, "kind" | "bytes" | "times">;
  /** The rows that others are divided by. */
  readonly against: readonly string[];
  readonly rows: readonly Row[];
}

const MIB = 1024 * 1024;
const TLS = "Node TLS 1.3 over TCP";
const device: Row = { name: "Handfast with bonds, files, discovery", peer: "device", settings: {} };
const PUMP = "bare dgram + AEAD";
const UDX = "udx + secret stream";
const WIREGUARD = "TCP through wireguard-go";
/** Left out where the packages are not installed: see main.ts. */
const udx: readonly Row[] = udxInstalled() ? [{ name: UDX, peer: "udx", settings: {} }] : [];

export function loopbackTables(quick: boolean): readonly Table[] {
  const tls: Row = { name: TLS, peer: "tls", settings: selfSigned() };
  return [
    {
      title: "One stream over loopback",
      work: { kind: "bulk", bytes: (quick ? 64 : 256) * MIB, times: 0 },
      against: [TLS, `${PUMP}, 60 KiB`, ...udx.map(({ name }) => name)],
      rows: [
        tls,
        { name: "bare dgram, 60 KiB", peer: "dgram", settings: { size: 61_440 } },
        { name: `${PUMP}, 60 KiB`, peer: "dgram", settings: { size: 61_440, aead: 1 } },
        ...udx,
        { name: "Handfast, 60 KiB datagrams", peer: "handfast", settings: { datagram: 61_440 } },
        { name: "Handfast, 16 KiB datagrams", peer: "handfast", settings: { datagram: 16_384 } },
      ],
    },
    {
      title: "One stream over loopback in datagrams that fit an Ethernet frame",
      work: { kind: "bulk", bytes: (quick ? 16 : 64) * MIB, times: 0 },
      against: [`${PUMP}, 1452 bytes`],
      rows: [
        { name: `${PUMP}, 1452 bytes`, peer: "dgram", settings: { size: 1452, aead: 1 } },
        { name: "Handfast, 1452 bytes", peer: "handfast", settings: { datagram: 1452 } },
      ],
    },
    {
      title: "Connect to a known device until the first echoed byte, loopback",
      work: { kind: "echo", bytes: 0, times: quick ? 20 : 100 },
      against: [TLS],
      rows: [tls, { name: "Handfast", peer: "handfast", settings: {} }, device],
    },
  ];
}

/** Over an emulated cable between two network namespaces. TCP is CUBIC there. */
export function labTables(quick: boolean): readonly Table[] {
  const tls: Row = { name: TLS, peer: "tls", settings: selfSigned() };
  const handfast: Row = { name: "Handfast", peer: "handfast", settings: { datagram: 1472 } };
  const cubic: Row = {
    name: "Handfast with CUBIC",
    peer: "handfast",
    settings: { datagram: 1472, congestion: "cubic" },
  };
  const bulk = (mib: number): Table["work"] => ({ kind: "bulk", bytes: (quick ? mib / 4 : mib) * MIB, times: 0 });
  const against = [TLS, ...udx.map(({ name }) => name)];
  const wireGuard: readonly Row[] = wireGuardInstalled()
    ? [{ name: WIREGUARD, peer: "tcp", settings: {}, tunnel: true }]
    : [];
  const pump = (size: number): Row => ({ name: `${PUMP}, ${size} bytes`, peer: "dgram", settings: { size, aead: 1 } });
  return [
    {
      title: "Ethernet, unimpaired",
      work: bulk(256),
      link: {},
      against: [TLS, `${PUMP}, 1472 bytes`, ...udx.map(({ name }) => name), ...wireGuard.map(({ name }) => name)],
      rows: [tls, ...udx, ...wireGuard, pump(1472), handfast, cubic],
    },
    {
      title: "Jumbo frames, unimpaired",
      work: bulk(256),
      link: {},
      mtu: 9000,
      against: [TLS, `${PUMP}, 8972 bytes`],
      rows: [tls, pump(8972), { ...handfast, settings: { datagram: 8972 } }],
    },
    {
      title: "1 % loss, 20 ms",
      work: bulk(32),
      link: { delay: 10, loss: 1, seed: 7 },
      against,
      rows: [tls, ...udx, handfast],
    },
    {
      title: "Wi-Fi: 200 Mbit/s, 2 ms and up to 3 more each way, 0.5 % loss",
      work: bulk(16),
      link: { rate: 200, delay: 2, jitter: 3, loss: 0.5, seed: 7 },
      against,
      rows: [tls, ...udx, handfast],
    },
    {
      title: "100 Mbit/s, 40 ms",
      work: bulk(32),
      link: { rate: 100, delay: 20, queue: 500 },
      against,
      rows: [tls, ...udx, handfast, cubic],
    },
    {
      title: "Connect to a known device until the first echoed byte, 40 ms",
      work: { kind: "echo", bytes: 0, times: quick ? 5 : 20 },
      link: { delay: 20 },
      against,
      rows: [tls, handfast, device],
    },
  ];
}

import { selfSigned } from "./certificate.js";
import type { Work } from "./peer.js";

/** One line of a table: a peer, its settings, and the line it is compared with. */
export interface Row {
  readonly name: string;
  readonly peer: string;
  readonly settings: Work["settings"];
}

export interface Table {
  readonly title: string;
  readonly work: Pick<Work, "kind" | "bytes" | "times">;
  /** The rows that others are divided by. */
  readonly against: readonly string[];
  readonly rows: readonly Row[];
}

const MIB = 1024 * 1024;
const TLS = "Node TLS 1.3 over TCP";
const PUMP = "bare dgram + AEAD";

export function loopbackTables(quick: boolean): readonly Table[] {
  const tls: Row = { name: TLS, peer: "tls", settings: selfSigned() };
  return [
    {
      title: "One stream over loopback",
      work: { kind: "bulk", bytes: (quick ? 64 : 256) * MIB, times: 0 },
      against: [TLS, `${PUMP}, 60 KiB`],
      rows: [
        tls,
        { name: "bare dgram, 60 KiB", peer: "dgram", settings: { size: 61_440 } },
        { name: `${PUMP}, 60 KiB`, peer: "dgram", settings: { size: 61_440, aead: 1 } },
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
      rows: [tls, { name: "Handfast", peer: "handfast", settings: {} }],
    },
  ];
}

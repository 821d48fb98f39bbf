import { concat } from "#kernel/bytes.js";
import type { RandomSource } from "#kernel/ports.js";
import { ByteReader, ByteWriter, varintLength } from "#kernel/varint.js";
import { TRANSPORT_ERROR, TransportError } from "./errors.js";

/** What one end tells the other in its handshake payload: PROTOCOL.md §1. Sizes in bytes, times in milliseconds. */
export interface TransportParameters {
  readonly idleMs: number;
  readonly maxUdpPayload: number;
  readonly maxData: number;
  /** As in RFC 9000 §18.2: streams opened by the sender of the parameter, by its peer, and one-way ones. */
  readonly maxStreamDataBidiLocal: number;
  readonly maxStreamDataBidiRemote: number;
  readonly maxStreamDataUni: number;
  readonly maxStreamsBidi: number;
  readonly maxStreamsUni: number;
  readonly maxAckDelayMs: number;
  /** How many connection IDs of the peer's we keep, at least 2. */
  readonly activeCids: number;
  /** Largest DATAGRAM frame payload; 0: none. */
  readonly maxDatagram: number;
  /** 16 bytes, from the responder: ends a connection that it has forgotten. */
  readonly resetToken?: Uint8Array;
  /** The connection IDs of the handshake headers, repeated under encryption. */
  readonly handshakeDcid?: Uint8Array;
  readonly handshakeScid?: Uint8Array;
  /** Versions the sender speaks, best first. */
  readonly versions?: readonly number[];
  /** From the initiator: which bond secrets it holds, best first, 8 bytes each. Opaque here: src/device/PROTOCOL.md §5. */
  readonly bondHints?: readonly Uint8Array[];
  /** From the responder: it knows the bond, but none of the hinted secrets. */
  readonly bondCopied?: boolean;
  /** The responder proves itself but does not know the initiator any more. */
  readonly unknownDevice?: boolean;
}

export type MutableParameters = { -readonly [Name in keyof TransportParameters]: TransportParameters[Name] };

/** A silent peer: no streams, no credit. What is not sent has these values. */
export const NO_PARAMETERS: TransportParameters = {
  idleMs: 0,
  maxUdpPayload: 1452,
  maxData: 0,
  maxStreamDataBidiLocal: 0,
  maxStreamDataBidiRemote: 0,
  maxStreamDataUni: 0,
  maxStreamsBidi: 0,
  maxStreamsUni: 0,
  maxAckDelayMs: 25,
  activeCids: 2,
  maxDatagram: 0,
};

/** What our endpoints offer. */
export const DEFAULT_PARAMETERS: TransportParameters = {
  ...NO_PARAMETERS,
  idleMs: 30_000,
  maxUdpPayload: 65_507,
  maxData: 4 * 1024 * 1024,
  maxStreamDataBidiLocal: 1024 * 1024,
  maxStreamDataBidiRemote: 1024 * 1024,
  maxStreamDataUni: 1024 * 1024,
  activeCids: 4,
  maxStreamsBidi: 128,
  maxStreamsUni: 128,
  maxDatagram: 65_000,
};

const NUMBERS = [
  [0x01, "idleMs"],
  [0x03, "maxUdpPayload"],
  [0x04, "maxData"],
  [0x05, "maxStreamDataBidiLocal"],
  [0x06, "maxStreamDataBidiRemote"],
  [0x07, "maxStreamDataUni"],
  [0x08, "maxStreamsBidi"],
  [0x09, "maxStreamsUni"],
  [0x0b, "maxAckDelayMs"],
  [0x0e, "activeCids"],
  [0x20, "maxDatagram"],
] as const;
const BYTES = [
  { id: 0x02, name: "resetToken", length: 16 },
  { id: 0x40, name: "handshakeDcid", length: 8 },
  { id: 0x41, name: "handshakeScid", length: 8 },
] as const;
const NUMBER_OF_ID: ReadonlyMap<number, (typeof NUMBERS)[number][1]> = new Map(NUMBERS);
const BYTES_OF_ID: ReadonlyMap<number, (typeof BYTES)[number]> = new Map(BYTES.map((one) => [one.id, one]));
const VERSIONS = 0x42;
const UNKNOWN_DEVICE = 0x48;
const BOND_HINTS = 0x43;
const BOND_COPIED = 0x49;
const HINT = 8;
const MAX_HINTS = 8;
const MIN_UDP_PAYLOAD = 1200;
const MIN_CIDS = 2;
const MAX_STREAMS = 2 ** 50;
const MAX_ACK_DELAY_MS = 2 ** 14;

/** A copy of what outlives the handshake. */
export function limitsOf(parameters: TransportParameters): MutableParameters {
  // Every property by name: V8 gives each object that was spread together a shape of its own, 400 bytes a piece.
  return {
    idleMs: parameters.idleMs,
    maxUdpPayload: parameters.maxUdpPayload,
    maxData: parameters.maxData,
    maxStreamDataBidiLocal: parameters.maxStreamDataBidiLocal,
    maxStreamDataBidiRemote: parameters.maxStreamDataBidiRemote,
    maxStreamDataUni: parameters.maxStreamDataUni,
    maxStreamsBidi: parameters.maxStreamsBidi,
    maxStreamsUni: parameters.maxStreamsUni,
    maxAckDelayMs: parameters.maxAckDelayMs,
    activeCids: parameters.activeCids,
    maxDatagram: parameters.maxDatagram,
  };
}

/** Includes one grease parameter with a random id and value, so that nobody learns to refuse what it does not know. */
export function encodeParameters(parameters: TransportParameters, random: RandomSource): Uint8Array {
  const out = new ByteWriter(new Uint8Array(512));
  for (const [id, name] of NUMBERS) putNumber(out, id, parameters[name]);
  for (const { id, name } of BYTES) {
    const value = parameters[name];
    if (value) putBytes(out, id, value);
  }
  if (parameters.versions) {
    const list = new ByteWriter(new Uint8Array(4 * parameters.versions.length));
    for (const version of parameters.versions) list.u32(version);
    putBytes(out, VERSIONS, list.written());
  }
  if (parameters.bondHints) putBytes(out, BOND_HINTS, concat(...parameters.bondHints));
  if (parameters.bondCopied) putBytes(out, BOND_COPIED, new Uint8Array(0));
  if (parameters.unknownDevice) putBytes(out, UNKNOWN_DEVICE, new Uint8Array(0));
  const [choice = 0, length = 0] = random(2);
  putBytes(out, 27 + 31 * (choice + 3), random(1 + (length % 16)));
  return out.written();
}

/** Reads what is before the PADDING. Unknown ids are skipped; a repeated or impossible one throws TransportError. */
export function decodeParameters(bytes: Uint8Array): TransportParameters {
  const reader = new ByteReader(bytes);
  const seen: number[] = [];
  const found = limitsOf(NO_PARAMETERS);
  try {
    while (reader.remaining > 0) {
      const id = reader.varint();
      if (id === 0) break; // PADDING up to the end
      const value = reader.take(reader.varint());
      if (seen.includes(id)) throw invalid("the same parameter twice");
      seen.push(id);
      readParameter(found, id, value);
    }
  } catch (error) {
    throw error instanceof TransportError ? error : invalid("a parameter that ends too early");
  }
  if (found.maxUdpPayload < MIN_UDP_PAYLOAD) throw invalid("datagrams below 1200 bytes");
  if (Math.max(found.maxStreamsBidi, found.maxStreamsUni) > MAX_STREAMS) throw invalid("too many streams");
  if (found.activeCids < MIN_CIDS) throw invalid("fewer than two connection IDs");
  if (found.maxAckDelayMs >= MAX_ACK_DELAY_MS) throw invalid("an ACK delay above 16 s");
  return found;
}

function readParameter(found: MutableParameters, id: number, value: Uint8Array): void {
  const number = NUMBER_OF_ID.get(id);
  if (number) {
    found[number] = wholeVarint(value);
    return;
  }
  const bytes = BYTES_OF_ID.get(id);
  if (bytes) {
    if (value.length !== bytes.length) throw invalid("a parameter of the wrong length");
    found[bytes.name] = value.slice();
    return;
  }
  if (id === VERSIONS) found.versions = readVersions(value);
  else if (id === BOND_HINTS) found.bondHints = readHints(value);
  else if (id === BOND_COPIED) found.bondCopied = true;
  else if (id === UNKNOWN_DEVICE) found.unknownDevice = true;
}

function readVersions(value: Uint8Array): readonly number[] {
  if (value.length % 4 !== 0 || value.length > 64) throw invalid("a list of versions of the wrong length");
  const reader = new ByteReader(value);
  const versions: number[] = [];
  while (reader.remaining > 0) versions.push(reader.u32());
  return versions;
}

function readHints(value: Uint8Array): readonly Uint8Array[] {
  if (value.length % HINT !== 0 || value.length > MAX_HINTS * HINT) throw invalid("bond hints of the wrong length");
  return Array.from({ length: value.length / HINT }, (_, i) => value.slice(i * HINT, (i + 1) * HINT));
}

function wholeVarint(value: Uint8Array): number {
  const reader = new ByteReader(value);
  const number = reader.varint();
  if (reader.remaining > 0) throw invalid("a number of the wrong length");
  return number;
}

function putNumber(out: ByteWriter, id: number, value: number): void {
  out.varint(id);
  out.varint(varintLength(value));
  out.varint(value);
}

function putBytes(out: ByteWriter, id: number, value: Uint8Array): void {
  out.varint(id);
  out.varint(value.length);
  out.put(value);
}

function invalid(what: string): TransportError {
  return new TransportError(
    TRANSPORT_ERROR.TRANSPORT_PARAMETER_ERROR,
    `The peer's parameters cannot be used: ${what}.`,
  );
}

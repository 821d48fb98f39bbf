import type { Crypto } from "#crypto/crypto.js";
import { fromHex, toHex } from "#kernel/bytes.js";
import { describeFrames } from "#transport/describeFrames.js";
import { CID, HANDSHAKE_SIZE, handshakeType } from "#transport/handshakePackets.js";
import { trafficKeys } from "#transport/keys.js";
import { PacketProtection } from "#transport/packet.js";

/** The secret of one direction of one epoch: a line of a key log. */
export interface LoggedSecret {
  readonly epoch: number;
  readonly sender: "client" | "server";
  readonly secret: Uint8Array;
}

const LINE = /^HF_(CLIENT|SERVER)_EPOCH_(\d+) [0-9a-f]{16} ([0-9a-f]{64})$/;

/** Lines that are something else are passed over. */
export function parseKeyLog(text: string): readonly LoggedSecret[] {
  return text.split("\n").flatMap((line) => {
    const [, sender, epoch, secret] = LINE.exec(line.trim()) ?? [];
    if (!sender || !epoch || !secret) return [];
    return [{ epoch: Number(epoch), sender: sender === "CLIENT" ? "client" : "server", secret: fromHex(secret) }];
  });
}

/** What one datagram is, line by line. Without its secret a data packet shows only what everybody on the wire sees. */
export function decodeDatagram(
  bytes: Uint8Array,
  crypto: Crypto,
  secrets: readonly LoggedSecret[] = [],
): readonly string[] {
  const first = bytes[0];
  if (first === undefined) return ["an empty datagram"];
  const form = first >> 6;
  if (form === 0) return ["reserved first byte: dropped by every endpoint"];
  if (form === 2) return [`pairing: CBOR message of ${bytes.length} bytes`];
  return form === 3 ? handshake(bytes) : data(bytes, crypto, secrets);
}

function handshake(bytes: Uint8Array): readonly string[] {
  const field = (name: string, at: number, length: number): string =>
    `  ${name.padEnd(22)} ${toHex(bytes.subarray(at, at + length))}`;
  const version = field("version", 1, 4);
  switch (handshakeType(bytes)) {
    case 0: {
      const macs = HANDSHAKE_SIZE - 32;
      const lines = [field("client's ID", 5, CID), field("ephemeral key", 13, 32), field("static key, sealed", 45, 48)];
      return [`Init, ${bytes.length} bytes`, version, ...lines, field("mac1", macs, 16), field("mac2", macs + 16, 16)];
    }
    case 1:
      return [
        `Response, ${bytes.length} bytes`,
        version,
        field("client's ID", 5, CID),
        field("server's ID", 13, CID),
        field("ephemeral key", 21, 32),
      ];
    case 2:
      return [`Cookie, ${bytes.length} bytes`, version, field("client's ID", 5, CID), field("nonce", 13, 24)];
    default:
      return [`Versions (reserved), ${bytes.length} bytes`];
  }
}

function data(bytes: Uint8Array, crypto: Crypto, secrets: readonly LoggedSecret[]): readonly string[] {
  const bits = ((bytes[0] ?? 0) >> 4) & 3;
  const head = `Data or reset, ${bytes.length} bytes, to ID ${toHex(bytes.subarray(1, 9))}, epoch ${bits} modulo 4`;
  for (const { epoch, sender, secret } of secrets) {
    if ((epoch & 3) !== bits) continue;
    const opened = protectionOf(crypto, epoch, secret).open(bytes);
    if (!opened) continue;
    const frames = describeFrames(opened.payload).map((frame) => `  ${JSON.stringify(frame)}`);
    return [head, `  packet ${opened.packetNumber} of epoch ${epoch}, from the ${sender}`, ...frames];
  }
  return [head];
}

/** Something that opens packets sealed under `secret`. */
function protectionOf(crypto: Crypto, epoch: number, secret: Uint8Array): PacketProtection {
  const random = (length: number): Uint8Array => new Uint8Array(length);
  const keys = () => {
    const noise = {
      initiatorKey: secret.slice(),
      responderKey: secret.slice(),
      exporter: secret,
      handshakeHash: secret,
    };
    return trafficKeys(crypto, "initiator", noise);
  };
  const protection = new PacketProtection({ keys: keys(), remoteCid: new Uint8Array(CID), random });
  for (let i = 0; i < (epoch & 3); i++) {
    protection.installNext(keys());
    protection.promote();
  }
  return protection;
}

import { toBase64Url, utf8 } from "#kernel/bytes.js";
import type { Address } from "#kernel/ports.js";
import { Fields } from "./fields.js";
import { Secret } from "./secret.js";

/** What two devices that met once know about each other. PROTOCOL.md §7. */
export interface Bond {
  /** Hex of the 16-byte bond id. */
  readonly id: string;
  /** X25519, 32 bytes. */
  readonly peerStatic: Uint8Array;
  /** The bond secret, 32 bytes: what both sides have proved last. */
  readonly secret: Secret;
  /** The secret that follows, 32 bytes, once a session has made one: device/PROTOCOL.md §5. */
  readonly next?: Secret;
  /** 32 bytes that all generations share: they open no session, they only tell a copy. */
  readonly lineage?: Secret;
  /** The peer's identity resolving key, 16 bytes. */
  readonly irk: Secret;
  readonly name: string;
  readonly platform: string;
  readonly scopes: readonly string[];
  readonly state: "provisional" | "confirmed";
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly lastSeenAt: number;
  /** How often `next` has become `secret`. */
  readonly generation: number;
  readonly postQuantum: PostQuantum;
  /** Where the peer was last met: hints, never proof. */
  readonly addresses: readonly Address[];
}

/** Whether both sides promised the ML-KEM exchange, and which secrets contain it ("mixed": both). device/PROTOCOL.md §6. */
export type PostQuantum = "none" | "promised" | "next" | "mixed";
const POST_QUANTUM = ["none", "promised", "next", "mixed"] as const;

/** What is left of a forgotten device: enough to tell it so, nothing to talk with. */
export interface Tombstone {
  readonly peerStatic: Uint8Array;
  readonly name: string;
  readonly forgottenAt: number;
}

/** PROTOCOL.md §2. */
export const BOND_LIMITS = {
  bonds: 256,
  tombstones: 256,
  nameBytes: 64,
  platformBytes: 32,
  scopes: 16,
  scopeBytes: 64,
  addresses: 8,
} as const;

/** The bond as plain JSON values, secrets in the clear: for the state file only. */
export function bondToStored(bond: Bond): Record<string, unknown> {
  return {
    id: bond.id,
    peerStatic: toBase64Url(bond.peerStatic),
    secret: toBase64Url(bond.secret.reveal()),
    ...(bond.next && { next: toBase64Url(bond.next.reveal()) }),
    ...(bond.lineage && { lineage: toBase64Url(bond.lineage.reveal()) }),
    irk: toBase64Url(bond.irk.reveal()),
    name: bond.name,
    platform: bond.platform,
    scopes: [...bond.scopes],
    state: bond.state,
    createdAt: bond.createdAt,
    lastSeenAt: bond.lastSeenAt,
    generation: bond.generation,
    postQuantum: bond.postQuantum,
    addresses: bond.addresses.map(({ host, port }) => ({ host, port })),
  };
}

/** @throws RangeError naming the field, never its value. */
export function bondFromStored(value: unknown): Bond {
  const fields = new Fields("bond", value);
  const bond: Bond = {
    id: fields.text("id", 32, /^[0-9a-f]{32}$/),
    peerStatic: fields.bytes("peerStatic", 32),
    secret: new Secret(fields.bytes("secret", 32)),
    ...(fields.has("next") && { next: new Secret(fields.bytes("next", 32)) }),
    ...(fields.has("lineage") && { lineage: new Secret(fields.bytes("lineage", 32)) }),
    irk: new Secret(fields.bytes("irk", 16)),
    name: fields.text("name", BOND_LIMITS.nameBytes),
    platform: fields.text("platform", BOND_LIMITS.platformBytes),
    scopes: fields.list("scopes", BOND_LIMITS.scopes, (scope) => scopeFromStored(scope)),
    state: fields.oneOf("state", ["provisional", "confirmed"]),
    createdAt: fields.count("createdAt"),
    lastSeenAt: fields.count("lastSeenAt"),
    generation: fields.count("generation"),
    postQuantum: fields.oneOf("postQuantum", POST_QUANTUM),
    addresses: fields.list("addresses", BOND_LIMITS.addresses, addressFromStored),
  };
  fields.end();
  return bond;
}

export function tombstoneToStored(tombstone: Tombstone): Record<string, unknown> {
  return {
    peerStatic: toBase64Url(tombstone.peerStatic),
    name: tombstone.name,
    forgottenAt: tombstone.forgottenAt,
  };
}

export function tombstoneFromStored(value: unknown): Tombstone {
  const fields = new Fields("tombstone", value);
  const tombstone = {
    peerStatic: fields.bytes("peerStatic", 32),
    name: fields.text("name", BOND_LIMITS.nameBytes),
    forgottenAt: fields.count("forgottenAt"),
  };
  fields.end();
  return tombstone;
}

function scopeFromStored(value: unknown): string {
  if (typeof value !== "string" || utf8(value).length > BOND_LIMITS.scopeBytes) throw new RangeError("bond: odd scope");
  return value;
}

function addressFromStored(value: unknown): Address {
  const fields = new Fields("address", value);
  const address = { host: fields.text("host", 64, /^[0-9a-zA-Z.:_-]+(%[^\s/]+)?$/), port: fields.count("port", 65535) };
  fields.end();
  return address;
}

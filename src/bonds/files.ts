import { toBase64Url } from "#kernel/bytes.js";
import {
  BOND_LIMITS,
  type Bond,
  bondFromStored,
  bondToStored,
  tombstoneFromStored,
  tombstoneToStored,
} from "./bond.js";
import type { Book } from "./book.js";
import { Fields } from "./fields.js";
import { Secret } from "./secret.js";
import { type DeviceIdentity, StateError, type StoredAttempts } from "./store.js";

/** PROTOCOL.md §2. */
export const MAX_STATE_BYTES: number = 1024 * 1024;

/** How one kind of state file is written and read. */
export interface StateFile<Value> {
  readonly kind: "identity" | "bonds" | "attempts";
  /** What we write; every version from 1 on is read. */
  readonly version: number;
  encode(value: Value): unknown;
  /** @throws RangeError */
  decode(data: unknown, version: number): Value;
}

export const IDENTITY_FILE: StateFile<DeviceIdentity> = {
  kind: "identity",
  version: 1,
  encode: (identity) => ({
    staticSecret: toBase64Url(identity.staticSecret.reveal()),
    irk: toBase64Url(identity.irk.reveal()),
    resetKey: toBase64Url(identity.resetKey.reveal()),
    ...(identity.name === undefined ? {} : { name: identity.name }),
  }),
  decode: (data) => {
    const fields = new Fields("identity", data);
    const identity = {
      staticSecret: new Secret(fields.bytes("staticSecret", 32)),
      irk: new Secret(fields.bytes("irk", 16)),
      resetKey: new Secret(fields.bytes("resetKey", 32)),
      ...(fields.has("name") ? { name: fields.text("name", BOND_LIMITS.nameBytes) } : {}),
    };
    fields.end();
    return identity;
  },
};

export const BONDS_FILE: StateFile<Book> = {
  kind: "bonds",
  version: 2,
  encode: (book) => ({ bonds: book.bonds.map(bondToStored), tombstones: book.tombstones.map(tombstoneToStored) }),
  decode: (data, version) => {
    const fields = new Fields("bonds", data);
    const read = version === 1 ? bondFromVersion1 : bondFromStored;
    const bonds = fields.list("bonds", BOND_LIMITS.bonds, read);
    const tombstones = fields.list("tombstones", BOND_LIMITS.tombstones, tombstoneFromStored);
    fields.end();
    if (new Set(bonds.map(({ id }) => id)).size !== bonds.length) throw new RangeError("bonds: one id twice");
    return { bonds, tombstones };
  },
};

export const ATTEMPTS_FILE: StateFile<StoredAttempts> = {
  kind: "attempts",
  version: 1,
  encode: ({ failures, windows }) => ({ failures, windows }),
  decode: (data) => {
    const fields = new Fields("attempts", data);
    const attempts = { failures: fields.count("failures"), windows: fields.count("windows") };
    fields.end();
    return attempts;
  },
};

function bondFromVersion1(value: unknown): Bond {
  const bond = new Fields("bond", value);
  for (const name of ["next", "lineage", "postQuantum"]) if (bond.has(name)) throw new RangeError(`bond: odd ${name}`);
  return bondFromStored({ ...(value as object), postQuantum: "none" });
}

/** The text of a state file. `sha256` gives hex of the UTF-8 bytes. */
export function encodeState<Value>(file: StateFile<Value>, value: Value, sha256: (text: string) => string): string {
  const data = file.encode(value);
  const sum = sha256(JSON.stringify(data));
  return `${JSON.stringify({ format: `handfast ${file.kind}`, version: file.version, sha256: sum, data })}\n`;
}

/** @throws StateError; `path` is for the message. */
export function decodeState<Value>(
  file: StateFile<Value>,
  text: string,
  sha256: (text: string) => string,
  path: string,
): Value {
  const fields = attempt(path, () => new Fields("file", JSON.parse(text)));
  const format = fields.has("format") ? attempt(path, () => fields.value("format")) : undefined;
  if (format !== `handfast ${file.kind}`)
    throw new StateError("STATE_FOREIGN", `${path} belongs to another program. Choose another state directory.`);
  const version = attempt(path, () => fields.count("version"));
  if (version > file.version)
    throw new StateError(
      "STATE_NEWER",
      `${path} was written by a newer Handfast (format ${version}). Update Handfast.`,
    );
  return attempt(path, () => {
    if (version < 1) throw new RangeError("file: odd version");
    const sum = fields.text("sha256", 64);
    const data = fields.value("data");
    fields.end();
    if (sha256(JSON.stringify(data)) !== sum) throw new RangeError("file: the checksum does not fit");
    return file.decode(data, version);
  });
}

export function corrupt(path: string, reason: string): StateError {
  return new StateError(
    "STATE_CORRUPT",
    `${path} is damaged (${reason}). Restore it from a backup, or move the whole directory away and pair again.`,
  );
}

function attempt<Value>(path: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    // A JSON error quotes the text, which may hold keys: only our own words go on.
    throw corrupt(path, error instanceof RangeError ? error.message : "not JSON");
  }
}

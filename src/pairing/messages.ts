import { isAllZero } from "#kernel/bytes.js";
import { type CborValue, decodeCbor, encodeCbor } from "#kernel/cbor.js";

/** Message types, PROTOCOL.md §2. Each direction has its own, so that an echo is never mistaken for an answer. */
export const TYPE = {
  HELLO: 0,
  RETRY: 1,
  START: 2,
  OFFER: 3,
  NONCE: 4,
  REVEAL: 5,
  CHECK: 6,
  CHECKED: 7,
  IDENT: 8,
  IDENTIFIED: 9,
  POLL: 10,
  WAIT: 11,
  ABORT: 12,
  COMMIT: 13,
  COMMITTED: 14,
} as const;

export type TypeName = keyof typeof TYPE;
export const TYPE_NAMES: readonly TypeName[] = Object.keys(TYPE) as TypeName[];

/** Step numbers: a request and its answer share one, and a retransmission repeats it. With letters 40 steps come between START and CHECK. */
export const STEP = { hello: 0, start: 1, nonce: 2, check: 3, ident: 4 } as const;

interface Fields {
  HELLO: { readonly bodyHash: Uint8Array; readonly padding: Uint8Array };
  RETRY: { readonly cookie: Uint8Array };
  START: {
    readonly cookie: Uint8Array;
    readonly features: Uint8Array;
    readonly publicKey: Uint8Array;
    /** Which link was scanned; empty without. */
    readonly hint: Uint8Array;
    readonly padding: Uint8Array;
  };
  OFFER: {
    readonly features: Uint8Array;
    readonly publicKey: Uint8Array;
    /** Empty where PKb is committed to elsewhere. */
    readonly commitment: Uint8Array;
  };
  NONCE: { readonly nonce: Uint8Array };
  REVEAL: { readonly nonce: Uint8Array };
  CHECK: { readonly check: Uint8Array };
  CHECKED: { readonly check: Uint8Array };
  IDENT: { readonly sealed: Uint8Array };
  IDENTIFIED: { readonly sealed: Uint8Array };
  POLL: { readonly user: number; readonly padding: Uint8Array };
  WAIT: { readonly user: number; readonly secondsLeft: number };
  ABORT: { readonly reason: number; readonly retryAfter: number };
  COMMIT: { readonly commitment: Uint8Array };
  COMMITTED: { readonly commitment: Uint8Array };
}

/** A message without its attempt. */
export type BodyOf<Name extends TypeName> = { readonly type: (typeof TYPE)[Name]; readonly seq: number } & Fields[Name];
export type MessageOf<Name extends TypeName> = BodyOf<Name> & { readonly pid: Uint8Array };
export type Message = { [Name in TypeName]: MessageOf<Name> }[TypeName];
export type Body = { [Name in TypeName]: BodyOf<Name> }[TypeName];

/** Cookies, nonces, commitments and checks are all AES blocks. */
const BLOCK = 16;
const PID = 8;
const HASH = 32;
/** Padding (zero bytes): no request is smaller than what it makes the other side answer. PROTOCOL.md §2. */
const HELLO_PADDING = 40;
const POLL_PADDING = 8;
/** The largest OFFER has 356 bytes. */
const START_BYTES = 360;
const PUBLIC_KEY = 65;
const MAX_FEATURES = 256;
/** The identity map of 54 bytes and a tag. */
const SEALED = 70;
const HINT = 8;
const VERSION = 1;

/** The datagram of a message. */
export function encodeMessage(message: Message): Uint8Array {
  const fields = message as unknown as Readonly<Record<string, CborValue>>;
  const names = SCHEMA[nameOf(message.type)].map(([name]) => name);
  return encodeCbor([VERSION, message.type, message.pid, message.seq, ...names.map((name) => fields[name] ?? null)]);
}

export function nameOf(type: Message["type"]): TypeName {
  return TYPE_NAMES[type] ?? "ABORT";
}

export function helloPadding(): Uint8Array {
  return new Uint8Array(HELLO_PADDING);
}

export function pollPadding(): Uint8Array {
  return new Uint8Array(POLL_PADDING);
}

export function startPadding(features: Uint8Array, hint: Uint8Array): Uint8Array {
  // Head 13, cookie 17, key 67, and the heads of features, hint and padding itself.
  const rest = 13 + 17 + 67 + 3 + features.length + 1 + hint.length + 1;
  return new Uint8Array(Math.max(0, START_BYTES - rest));
}

/** The message, or undefined when its shape is not exactly one of ours. Throws WireError when it is not our CBOR. */
export function decodeMessage(datagram: Uint8Array): Message | undefined {
  const array = decodeCbor(datagram);
  if (!Array.isArray(array)) return undefined;
  const [version, type, pid, seq, ...fields] = array as readonly CborValue[];
  if (version !== VERSION || !(pid instanceof Uint8Array) || pid.length !== PID) return undefined;
  if (!isSmall(seq) || typeof type !== "number") return undefined;
  if (type === TYPE.START && datagram.length < START_BYTES) return undefined;
  const name = TYPE_NAMES[type];
  if (name === undefined || SCHEMA[name].length !== fields.length) return undefined;
  const message: Record<string, CborValue> = { type, seq, pid };
  for (const [i, [field, check]] of SCHEMA[name].entries()) {
    const value = fields[i];
    if (value === undefined || !check(value)) return undefined;
    message[field] = value;
  }
  return message as unknown as Message;
}

type Check = (value: CborValue) => boolean;
const exactly =
  (...lengths: readonly number[]): Check =>
  (value) =>
    value instanceof Uint8Array && lengths.includes(value.length);
const upTo =
  (length: number): Check =>
  (value) =>
    value instanceof Uint8Array && value.length <= length;
const zeros =
  (atMost: number, atLeast = 0): Check =>
  (value) =>
    value instanceof Uint8Array && value.length >= atLeast && value.length <= atMost && isAllZero(value);
const isSmall = (value: CborValue | undefined): value is number =>
  typeof value === "number" && value >= 0 && value <= 0xffff;

/** The fields in their order on the wire. */
const SCHEMA: { readonly [Name in TypeName]: readonly (readonly [keyof Fields[Name] & string, Check])[] } = {
  HELLO: [
    ["bodyHash", exactly(HASH)],
    ["padding", zeros(HELLO_PADDING, HELLO_PADDING)],
  ],
  RETRY: [["cookie", exactly(BLOCK)]],
  START: [
    ["cookie", exactly(BLOCK)],
    ["features", upTo(MAX_FEATURES)],
    ["publicKey", upTo(PUBLIC_KEY)],
    ["hint", exactly(0, HINT)],
    ["padding", zeros(START_BYTES)],
  ],
  OFFER: [
    ["features", upTo(MAX_FEATURES)],
    ["publicKey", upTo(PUBLIC_KEY)],
    ["commitment", exactly(0, BLOCK)],
  ],
  NONCE: [["nonce", exactly(BLOCK)]],
  REVEAL: [["nonce", exactly(BLOCK)]],
  CHECK: [["check", exactly(BLOCK)]],
  CHECKED: [["check", exactly(BLOCK)]],
  IDENT: [["sealed", exactly(SEALED)]],
  IDENTIFIED: [["sealed", exactly(SEALED)]],
  POLL: [
    ["user", isSmall],
    ["padding", zeros(POLL_PADDING, POLL_PADDING)],
  ],
  WAIT: [
    ["user", isSmall],
    ["secondsLeft", isSmall],
  ],
  ABORT: [
    ["reason", isSmall],
    ["retryAfter", isSmall],
  ],
  COMMIT: [["commitment", exactly(BLOCK)]],
  COMMITTED: [["commitment", exactly(BLOCK)]],
};

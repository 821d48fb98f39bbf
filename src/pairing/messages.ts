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
} as const;

/** Step numbers: a request and its answer share one, and a retransmission repeats it. */
export const STEP = { hello: 0, start: 1, nonce: 2, check: 3, ident: 4 } as const;

export type Message = { readonly pid: Uint8Array; readonly seq: number } & (
  | { readonly type: typeof TYPE.HELLO; readonly bodyHash: Uint8Array; readonly padding: Uint8Array }
  | { readonly type: typeof TYPE.RETRY; readonly cookie: Uint8Array }
  | {
      readonly type: typeof TYPE.START;
      readonly cookie: Uint8Array;
      readonly features: Uint8Array;
      readonly publicKey: Uint8Array;
      readonly padding: Uint8Array;
    }
  | {
      readonly type: typeof TYPE.OFFER;
      readonly features: Uint8Array;
      readonly publicKey: Uint8Array;
      readonly commitment: Uint8Array;
    }
  | { readonly type: typeof TYPE.NONCE | typeof TYPE.REVEAL; readonly nonce: Uint8Array }
  | { readonly type: typeof TYPE.CHECK | typeof TYPE.CHECKED; readonly check: Uint8Array }
  | { readonly type: typeof TYPE.IDENT | typeof TYPE.IDENTIFIED; readonly sealed: Uint8Array }
  | { readonly type: typeof TYPE.POLL; readonly user: number; readonly padding: Uint8Array }
  | { readonly type: typeof TYPE.WAIT; readonly user: number; readonly secondsLeft: number }
  | { readonly type: typeof TYPE.ABORT; readonly reason: number; readonly retryAfter: number }
);

/** pairing.md's sizes: cookies, nonces, commitments and checks are all AES blocks. */
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
const VERSION = 1;

/** The datagram of a message. */
export function encodeMessage(message: Message): Uint8Array {
  return encodeCbor([VERSION, message.type, message.pid, message.seq, ...fieldsOf(message)]);
}

function fieldsOf(message: Message): CborValue[] {
  switch (message.type) {
    case TYPE.HELLO:
      return [message.bodyHash, message.padding];
    case TYPE.RETRY:
      return [message.cookie];
    case TYPE.START:
      return [message.cookie, message.features, message.publicKey, message.padding];
    case TYPE.OFFER:
      return [message.features, message.publicKey, message.commitment];
    case TYPE.NONCE:
    case TYPE.REVEAL:
      return [message.nonce];
    case TYPE.CHECK:
    case TYPE.CHECKED:
      return [message.check];
    case TYPE.IDENT:
    case TYPE.IDENTIFIED:
      return [message.sealed];
    case TYPE.POLL:
      return [message.user, message.padding];
    case TYPE.WAIT:
      return [message.user, message.secondsLeft];
    case TYPE.ABORT:
      return [message.reason, message.retryAfter];
  }
}

export function helloPadding(): Uint8Array {
  return new Uint8Array(HELLO_PADDING);
}

export function pollPadding(): Uint8Array {
  return new Uint8Array(POLL_PADDING);
}

export function startPadding(features: Uint8Array): Uint8Array {
  // Head 13, cookie 17, key 67, and the heads of the features and of the padding itself.
  const rest = 13 + 17 + 67 + 3 + features.length + 1;
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
  const schema = SCHEMA[type];
  if (schema?.length !== fields.length) return undefined;
  const message: Record<string, CborValue> = { type, seq, pid };
  for (const [i, [name, check]] of schema.entries()) {
    const value = fields[i];
    if (value === undefined || !check(value)) return undefined;
    message[name] = value;
  }
  return message as unknown as Message;
}

type Check = (value: CborValue) => boolean;
const exactly =
  (length: number): Check =>
  (value) =>
    value instanceof Uint8Array && value.length === length;
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

const SCHEMA: Record<number, readonly (readonly [string, Check])[]> = {
  [TYPE.HELLO]: [
    ["bodyHash", exactly(HASH)],
    ["padding", zeros(HELLO_PADDING, HELLO_PADDING)],
  ],
  [TYPE.RETRY]: [["cookie", exactly(BLOCK)]],
  [TYPE.START]: [
    ["cookie", exactly(BLOCK)],
    ["features", upTo(MAX_FEATURES)],
    ["publicKey", exactly(PUBLIC_KEY)],
    ["padding", zeros(START_BYTES)],
  ],
  [TYPE.OFFER]: [
    ["features", upTo(MAX_FEATURES)],
    ["publicKey", exactly(PUBLIC_KEY)],
    ["commitment", exactly(BLOCK)],
  ],
  [TYPE.NONCE]: [["nonce", exactly(BLOCK)]],
  [TYPE.REVEAL]: [["nonce", exactly(BLOCK)]],
  [TYPE.CHECK]: [["check", exactly(BLOCK)]],
  [TYPE.CHECKED]: [["check", exactly(BLOCK)]],
  [TYPE.IDENT]: [["sealed", exactly(SEALED)]],
  [TYPE.IDENTIFIED]: [["sealed", exactly(SEALED)]],
  [TYPE.POLL]: [
    ["user", isSmall],
    ["padding", zeros(POLL_PADDING, POLL_PADDING)],
  ],
  [TYPE.WAIT]: [
    ["user", isSmall],
    ["secondsLeft", isSmall],
  ],
  [TYPE.ABORT]: [
    ["reason", isSmall],
    ["retryAfter", isSmall],
  ],
};

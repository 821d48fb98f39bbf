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
  | { readonly type: typeof TYPE.POLL; readonly user: number }
  | { readonly type: typeof TYPE.WAIT; readonly user: number; readonly secondsLeft: number }
  | { readonly type: typeof TYPE.ABORT; readonly reason: number; readonly retryAfter: number }
);

/** pairing.md's sizes: cookies, nonces, commitments and checks are all AES blocks. */
const BLOCK = 16;
const PID = 8;
const HASH = 32;
/** HELLO is padded so that it is larger than what it makes the other side answer. */
const HELLO_PADDING = 40;
const PUBLIC_KEY = 65;
const MAX_FEATURES = 400;
const MAX_SEALED = 400;
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
      return [message.cookie, message.features, message.publicKey];
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
      return [message.user];
    case TYPE.WAIT:
      return [message.user, message.secondsLeft];
    case TYPE.ABORT:
      return [message.reason, message.retryAfter];
  }
}

export function helloPadding(): Uint8Array {
  return new Uint8Array(HELLO_PADDING);
}

/** The message, or undefined when its shape is not exactly one of ours. Throws WireError when it is not our CBOR. */
export function decodeMessage(datagram: Uint8Array): Message | undefined {
  const array = decodeCbor(datagram);
  if (!Array.isArray(array)) return undefined;
  const [version, type, pid, seq, ...fields] = array as readonly CborValue[];
  if (version !== VERSION || !(pid instanceof Uint8Array) || pid.length !== PID) return undefined;
  if (!isSmall(seq) || typeof type !== "number") return undefined;
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
const isSmall = (value: CborValue | undefined): value is number =>
  typeof value === "number" && value >= 0 && value <= 0xffff;

const SCHEMA: Record<number, readonly (readonly [string, Check])[]> = {
  [TYPE.HELLO]: [
    ["bodyHash", exactly(HASH)],
    ["padding", exactly(HELLO_PADDING)],
  ],
  [TYPE.RETRY]: [["cookie", exactly(BLOCK)]],
  [TYPE.START]: [
    ["cookie", exactly(BLOCK)],
    ["features", upTo(MAX_FEATURES)],
    ["publicKey", upTo(PUBLIC_KEY)],
  ],
  [TYPE.OFFER]: [
    ["features", upTo(MAX_FEATURES)],
    ["publicKey", upTo(PUBLIC_KEY)],
    ["commitment", exactly(BLOCK)],
  ],
  [TYPE.NONCE]: [["nonce", exactly(BLOCK)]],
  [TYPE.REVEAL]: [["nonce", exactly(BLOCK)]],
  [TYPE.CHECK]: [["check", exactly(BLOCK)]],
  [TYPE.CHECKED]: [["check", exactly(BLOCK)]],
  [TYPE.IDENT]: [["sealed", upTo(MAX_SEALED)]],
  [TYPE.IDENTIFIED]: [["sealed", upTo(MAX_SEALED)]],
  [TYPE.POLL]: [["user", isSmall]],
  [TYPE.WAIT]: [
    ["user", isSmall],
    ["secondsLeft", isSmall],
  ],
  [TYPE.ABORT]: [
    ["reason", isSmall],
    ["retryAfter", isSmall],
  ],
};

import { equalConstantTime, toHex } from "#kernel/bytes.js";
import { encodeMessage, type Message, TYPE } from "#pairing/messages.js";
import { pairingMessage } from "../attacks/attacker.js";
import type { LocalState, Start } from "./agents.js";

// What an agent's history says about its attempts at pairing.

export type Of<T extends Message["type"]> = Message & { readonly type: T };

export function is<T extends Message["type"]>(type: T): (message: Message) => message is Of<T> {
  return (message): message is Of<T> => message.type === type;
}

const parsed = new WeakMap<Uint8Array, Message>();
/** The message in a datagram, the same object each time. */
export function messageIn(bytes: Uint8Array): Message | undefined {
  const known = parsed.get(bytes);
  if (known) return known;
  const message = pairingMessage(bytes);
  if (message) parsed.set(bytes, message);
  return message;
}

const spoken = new WeakMap<LocalState, Message[]>();
export function saidBy(state: LocalState): Message[] {
  const known = spoken.get(state) ?? state.said.map(messageIn).filter((message) => message !== undefined);
  spoken.set(state, known);
  return known;
}

/** One round with letters, as far as it has come. */
export interface Round {
  commit?: Uint8Array;
  committed?: Uint8Array;
  na?: Uint8Array;
  nb?: Uint8Array;
}

/** One attempt as its device has seen it. */
export interface Session {
  readonly pid: Uint8Array;
  start?: Start;
  offer?: Of<typeof TYPE.OFFER>;
  /** The nonces of the last round. */
  na?: Uint8Array;
  nb?: Uint8Array;
  /** Commitments of both sides and their openings, by round: letters only. */
  readonly rounds: Round[];
  /** Everything up to the last REVEAL, as it came and went. */
  readonly transcript: Uint8Array[];
  peerKey?: Uint8Array;
  /** What it goes by: the letters that the PC had on its screen, or that were typed at the client. */
  letters?: string | undefined;
  over?: boolean;
}

function record(session: Session, bytes: Uint8Array, pc: boolean): void {
  const message = messageIn(bytes);
  if (!message) return;
  // Refusing a START ends nothing; an ABORT after OFFER does.
  if (message.type === TYPE.ABORT && session.offer) session.over = true;
  if (message.type === TYPE.START && !session.offer) {
    // A PC remembers only the START that it has answered with an OFFER.
    session.start = message;
    session.transcript.length = 0;
    session.rounds.length = 0;
  } else if (message.type === TYPE.OFFER && !session.offer) session.offer = message;
  else if (!recordRound(session, message)) return;
  session.transcript.push(bytes);
  const key = pc ? session.start?.publicKey : session.offer?.publicKey;
  if (key) session.peerKey = key;
}

/** False for what was said already, or belongs to no transcript. */
function recordRound(session: Session, message: Message): boolean {
  const letters = session.rounds.length > 0 || message.type === TYPE.COMMIT;
  const at = letters ? (message.seq - 2) >> 1 : 0;
  const round = session.rounds[at] ?? {};
  const once = (name: keyof Round, value: Uint8Array): boolean => {
    if (round[name]) return false;
    round[name] = value;
    if (letters) session.rounds[at] = round;
    return true;
  };
  if (message.type === TYPE.COMMIT) return once("commit", message.commitment);
  if (message.type === TYPE.COMMITTED) return once("committed", message.commitment);
  if (message.type === TYPE.NONCE && (letters || !session.na) && once("na", message.nonce)) {
    session.na = message.nonce;
    return true;
  }
  if (message.type === TYPE.REVEAL && (letters || !session.nb) && once("nb", message.nonce)) {
    session.nb = message.nonce;
    return true;
  }
  return false;
}

const sessionCache = new WeakMap<LocalState, Session[]>();

/** The attempts of a PC, by what it was given and what it answered. */
export function pcSessions(state: LocalState): Session[] {
  const cached = sessionCache.get(state);
  if (cached) return cached;
  const sessions: Session[] = [];
  for (const bytes of state.log) {
    const message = messageIn(bytes);
    if (!message) continue;
    let session = sessions.find(({ pid }) => equalConstantTime(pid, message.pid));
    if (!session) {
      session = { pid: message.pid, rounds: [], transcript: [] };
      sessions.push(session);
    }
    record(session, bytes, true);
    session.letters = state.taken?.get(toHex(session.pid)) ?? state.letters;
  }
  sessionCache.set(state, sessions);
  return sessions;
}

/** The attempt of a client; of a PC, the one it made its bond in. */
export function sessionOf(state: LocalState, pc: boolean): Session {
  if (pc) {
    const bonded = saidBy(state).find((message) => message?.type === TYPE.IDENTIFIED);
    return (
      pcSessions(state).find(({ pid }) => bonded && equalConstantTime(pid, bonded.pid)) ?? {
        pid: new Uint8Array(8),
        rounds: [],
        transcript: [],
      }
    );
  }
  const cached = sessionCache.get(state)?.[0];
  if (cached) return cached;
  const session: Session = { pid: new Uint8Array(8), rounds: [], transcript: [] };
  for (const bytes of state.log) record(session, bytes, false);
  session.letters = state.history.find((input) => input.kind === "type")?.text;
  sessionCache.set(state, [session]);
  return session;
}

/** Both sides bonded over the same bytes. */
export function saidTheSame(client: LocalState, pc: LocalState): boolean {
  const [a, b] = [sessionOf(client, false).transcript, sessionOf(pc, true).transcript];
  return a.length === b.length && a.every((bytes, i) => equalConstantTime(bytes, b[i] ?? new Uint8Array()));
}

const numbers = new Map<string, number>();
const numberOf = new WeakMap<Message, number>();
/** Which messages of these types have been heard. */
export function signature(heard: readonly Message[], types: readonly number[]): string {
  const ids = new Set<number>();
  for (const message of heard) {
    if (!types.includes(message.type)) continue;
    let id = numberOf.get(message);
    if (id === undefined) {
      const bytes = toHex(encodeMessage(message));
      id = numbers.get(bytes) ?? numbers.size;
      numbers.set(bytes, id);
      numberOf.set(message, id);
    }
    ids.add(id);
  }
  return [...ids].sort((a, b) => a - b).join(".");
}

import type { KeyPair } from "#crypto/crypto.js";
import { equalConstantTime, toHex } from "#kernel/bytes.js";
import { encodeMessage, type Message, startPadding, TYPE } from "#pairing/messages.js";
import { f4 } from "#pairing/toolbox.js";
import { pairingMessage } from "../attacks/attacker.js";
import { ImpostorKeys, type Talk, withFeature } from "../attacks/impostorKeys.js";
import { features, NO_HINT, SEQ, x } from "../attacks/impostors.js";
import {
  Agent,
  type Input,
  type LocalState,
  type PcSetup,
  runClient,
  runPc,
  type Start,
  withCookieOf,
} from "./agents.js";
import { explore, type Verdict } from "./explore.js";
import { isWeak, mirrored, nonceFor, symbolicCrypto, weakened } from "./symbolicCrypto.js";

// A Dolev-Yao attacker against the product's state machines: it owns the wire, has keys of its own, and builds every message it
// can from what it has heard. People obey one rule: yes when the screens in front of them show the same, no when they differ.
// Bounded and symbolic: a search that finds nothing is no proof.

/** Who is there. Each person has one client and one PC; `attempts` is how often the client tries. */
export interface Scenario {
  readonly people: number;
  readonly attempts: number;
  /** Attempts that each PC takes, the attacker's included. */
  readonly sessions: number;
}

interface World {
  readonly states: readonly LocalState[];
}

interface Device {
  readonly agent: Agent;
  readonly role: "client" | "pc";
  readonly person: number;
  /** The index of the client's attempt that must be over before. */
  readonly after: number | undefined;
}

interface Move {
  readonly what: string;
  readonly after: LocalState;
}

/** What the messages to each side are made of. */
const PC_USES: readonly number[] = [TYPE.START, TYPE.NONCE, TYPE.REVEAL, TYPE.CHECK, TYPE.IDENT];
const CLIENT_USES: readonly number[] = [TYPE.OFFER, TYPE.NONCE, TYPE.REVEAL, TYPE.CHECK, TYPE.CHECKED, TYPE.IDENTIFIED];

type Of<T extends Message["type"]> = Message & { readonly type: T };

const own: KeyPair = symbolicCrypto.p256KeyPair(new Uint8Array(32).fill(0xe)) ?? {
  secret: new Uint8Array(),
  public: new Uint8Array(),
};
const ownNonce = new Uint8Array(16).fill(0xe);
const ownStatic = symbolicCrypto.x25519KeyPair(new Uint8Array(32).fill(0xe)).public;
const weak: KeyPair = { secret: new Uint8Array(32), public: weakened(own.public) };
const isEve = (publicKey: Uint8Array): boolean => isWeak(publicKey) || equalConstantTime(x(publicKey), x(own.public));

export function searchPairing(scenario: Scenario, limit: number): Verdict {
  const search = new Search(scenario);
  return explore<World>(
    {
      start: { states: search.devices.map(({ agent }) => agent.start) },
      key: ({ states }) => states.map(({ id }) => id).join(),
      next: (world, step) => search.next(world, step),
      violated: (world) => search.violated(world),
    },
    limit,
  );
}

class Search {
  readonly devices: Device[] = [];
  readonly #pcs: PcSetup[] = [];
  readonly #scenario: Scenario;
  readonly #moves = new Map<string, readonly Move[]>();

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    for (let person = 0; person < scenario.people; person++) {
      const pc: PcSetup = { name: `PC ${person}`, seed: 1000 + person };
      this.#pcs.push(pc);
      const agent = new Agent(pc.name, (history) => runPc(pc, history));
      this.devices.push({ agent, role: "pc", person, after: undefined });
      for (let attempt = 0; attempt < scenario.attempts; attempt++) {
        const seed = 2000 + 10 * person + attempt;
        const client = new Agent(`phone ${person}`, (history) => runClient(`phone ${person}`, seed, pc, history));
        const after = attempt === 0 ? undefined : this.devices.length - 1;
        this.devices.push({ agent: client, role: "client", person, after });
      }
    }
  }

  next(world: World, step: (label: string, to: World) => void): void {
    const heard = this.#heard(world);
    const signatures = {
      pc: signature(heard, PC_USES),
      client: signature(heard, CLIENT_USES),
      screens: screens(world).join(),
    };
    for (const [at, device] of this.devices.entries()) {
      const state = world.states[at];
      if (!state || !this.#present(world, device)) continue;
      const to = (after: LocalState): World => ({ states: world.states.map((each, i) => (i === at ? after : each)) });
      this.#ask(world, device, state, (what, after) => step(`${what} ${device.agent.name}`, to(after)));
      const key = `${at} ${state.id} ${signatures[device.role]} ${signatures.screens}`;
      const moves = this.#moves.get(key) ?? this.#movesOf(world, device, state, heard);
      this.#moves.set(key, moves);
      for (const { what, after } of moves) step(`${what} ${device.agent.name}`, to(after));
    }
  }

  /** What the attacker can make of this device with what has been heard. */
  #movesOf(world: World, device: Device, state: LocalState, heard: readonly Message[]): readonly Move[] {
    const moves: Move[] = [];
    const give = (what: string, input: Input): void => {
      const after = device.agent.after(state, input);
      if (after !== state) moves.push({ what, after });
    };
    const say = (message: Message): void =>
      give(NAMES[message.type] ?? "", { kind: "deliver", bytes: encodeMessage(message) });
    if (device.role === "pc") this.#toPc(world, device, state, heard, give, say);
    else this.#toClient(world, state, heard, say);
    return moves;
  }

  violated({ states }: World): string | undefined {
    const secrets = new Map<string, number>();
    for (const [at, state] of states.entries())
      for (const bond of state.bonds) {
        const session = sessionOf(state, this.devices[at]?.role === "pc");
        if (session.peerKey && isEve(session.peerKey)) return "the attacker knows the secret of a bond";
        if (this.devices[at]?.role === "pc") continue;
        const psk = toHex(bond.psk);
        if (secrets.has(psk)) return "two clients hold the same bond";
        secrets.set(psk, at);
        const twin = states.findIndex(
          (other, i) => this.devices[i]?.role === "pc" && other.bonds.some((one) => toHex(one.psk) === psk),
        );
        const pc = states[twin];
        if (!pc) return "a client holds a bond that no PC holds";
        if (this.devices[twin]?.person !== this.devices[at]?.person) return "a bond with somebody else's PC";
        if (!saidTheSame(state, pc)) return "a bond over a conversation that was not the same on both sides";
      }
    return undefined;
  }

  /** A client's second attempt begins when its first is over. */
  #present(world: World, device: Device): boolean {
    return device.after === undefined || world.states[device.after]?.over === true;
  }

  /** Everything that has been on the wire. */
  #heard(world: World): Message[] {
    return this.devices.flatMap((device, at) => {
      const state = world.states[at];
      return state && this.#present(world, device) ? saidBy(state) : [];
    });
  }

  /** The person compares this screen with the other one in front of them. */
  #ask(world: World, device: Device, state: LocalState, answer: (what: string, after: LocalState) => void): void {
    if (!state.screen) return;
    for (const [i, other] of this.devices.entries()) {
      if (other.person !== device.person || other.role === device.role || !this.#present(world, other)) continue;
      const screen = world.states[i]?.screen;
      if (!screen) continue;
      const kind = screen.digits === state.screen.digits ? "yes" : "no";
      const after = device.agent.after(state, { kind, screen: state.screen.id });
      if (after !== state) answer(`${kind} at`, after);
    }
  }

  #toPc(
    world: World,
    device: Device,
    state: LocalState,
    heard: readonly Message[],
    give: (what: string, input: Input) => void,
    say: (message: Message) => void,
  ): void {
    const begun = state.history.filter(({ kind }) => kind === "start").length;
    const setup = this.#pcs[device.person];
    if (begun < this.#scenario.sessions && setup)
      for (const start of startsFor(heard, begun)) {
        const own = heard.includes(start) && this.#targetOf(world, start) === device.person;
        give("START", { kind: "start", start: own ? start : withCookieOf(setup, start) });
      }
    for (const session of pcSessions(state)) {
      const { pid } = session;
      if (session.over) continue;
      if (session.offer && !session.na)
        for (const nonce of this.#noncesFor(world, heard, device.agent, state, pid))
          say({ type: TYPE.NONCE, pid, seq: SEQ.nonce, nonce });
      if (!session.nb) continue;
      const keys = keysOf(session);
      for (const check of [...heard.filter(is(TYPE.CHECK)).map((each) => each.check), ...(keys ? [keys.checkA] : [])])
        say({ type: TYPE.CHECK, pid, seq: SEQ.check, check });
      const idents = heard.filter(is(TYPE.IDENT)).map((each) => each.sealed);
      if (keys) idents.push(keys.seal("hf1 ir", { staticPublic: ownStatic, irk: ownNonce }));
      for (const sealed of idents) say({ type: TYPE.IDENT, pid, seq: SEQ.ident, sealed });
    }
  }

  #toClient(world: World, state: LocalState, heard: readonly Message[], say: (message: Message) => void): void {
    const session = sessionOf(state, false);
    const { start } = session;
    if (!start || state.over) return;
    const { pid } = start;
    const last = saidBy(state).at(-1)?.type;
    if (!session.offer) {
      for (const offer of offersFor(start, heard, this.#early(world, state))) say({ ...offer, pid });
    } else if (!session.nb && last === TYPE.NONCE) {
      const nonces = heard.filter(is(TYPE.REVEAL)).map((each) => each.nonce);
      for (const nonce of [...nonces, ownNonce, ...screens(world).map(nonceFor)])
        say({ type: TYPE.REVEAL, pid, seq: SEQ.nonce, nonce });
    } else if (last === TYPE.CHECK) {
      const keys = keysOf(session);
      const checks = [...heard.filter(is(TYPE.CHECKED)), ...heard.filter(is(TYPE.CHECK))].map((each) => each.check);
      for (const check of [...checks, ...(keys ? [keys.checkB] : [])])
        say({ type: TYPE.CHECKED, pid, seq: SEQ.check, check });
    } else if (last === TYPE.IDENT) {
      const keys = keysOf(session);
      const sealed = heard.filter(is(TYPE.IDENTIFIED)).map((each) => each.sealed);
      if (keys) sealed.push(keys.seal("hf1 ri", { staticPublic: ownStatic, irk: ownNonce }));
      for (const one of sealed) say({ type: TYPE.IDENTIFIED, pid, seq: SEQ.ident, sealed: one });
    }
  }

  /** Nonces for the PC. One that was searched for needs the PC's own nonce: is it known already? */
  #noncesFor(world: World, heard: readonly Message[], agent: Agent, state: LocalState, pid: Uint8Array): Uint8Array[] {
    const plain = [...heard.filter(is(TYPE.NONCE)).map((each) => each.nonce), ownNonce];
    const probe = encodeMessage({ type: TYPE.NONCE, pid, seq: SEQ.nonce, nonce: ownNonce });
    const answered = agent.after(state, { kind: "deliver", bytes: probe });
    const nb = pcSessions(answered).find((each) => equalConstantTime(each.pid, pid))?.nb;
    const known = nb && heard.some((each) => each.type === TYPE.REVEAL && equalConstantTime(each.nonce, nb));
    return known ? [...plain, ...screens(world).map(nonceFor)] : plain;
  }

  /** The digits that a nonce committed to now could be made for: only when the client's nonce is known already. */
  #early(world: World, state: LocalState): readonly string[] {
    return saidBy(state).some(({ type }) => type === TYPE.NONCE) ? screens(world) : [];
  }

  #targetOf(world: World, start: Start): number | undefined {
    const at = world.states.findIndex(
      (state, i) => this.devices[i]?.role === "client" && saidBy(state).some((each) => each === start),
    );
    return this.devices[at]?.person;
  }
}

const NAMES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(TYPE).map(([name, type]) => [type, name]),
);

function is<T extends Message["type"]>(type: T): (message: Message) => message is Of<T> {
  return (message): message is Of<T> => message.type === type;
}

const parsed = new WeakMap<Uint8Array, Message>();
/** The message in a datagram, the same object each time. */
function messageIn(bytes: Uint8Array): Message | undefined {
  const known = parsed.get(bytes);
  if (known) return known;
  const message = pairingMessage(bytes);
  if (message) parsed.set(bytes, message);
  return message;
}

const spoken = new WeakMap<LocalState, Message[]>();
function saidBy(state: LocalState): Message[] {
  const known = spoken.get(state) ?? state.said.map(messageIn).filter((message) => message !== undefined);
  spoken.set(state, known);
  return known;
}

const numbers = new Map<string, number>();
const numberOf = new WeakMap<Message, number>();
/** Which messages of these types have been heard. */
function signature(heard: readonly Message[], types: readonly number[]): string {
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

function screens(world: World): string[] {
  return world.states.flatMap(({ screen }) => (screen ? [screen.digits] : []));
}

/** STARTs that the attacker can send: those of the clients, edited ones, and its own. */
function startsFor(heard: readonly Message[], index: number): Start[] {
  const honest = heard.filter(is(TYPE.START));
  const edited = honest.flatMap((start) => [
    { ...start, publicKey: mirrored(start.publicKey) },
    { ...start, publicKey: weakened(start.publicKey) },
    { ...start, features: withFeature(start.features, 4, "evil") },
  ]);
  const pid = new Uint8Array(8).fill(0xe0 + index);
  const ownFeatures = features("phone 0");
  const padding = startPadding(ownFeatures, NO_HINT);
  const head = { type: TYPE.START, pid, seq: SEQ.start, cookie: new Uint8Array(16), hint: NO_HINT, padding } as const;
  return [...honest, ...edited, { ...head, publicKey: own.public, features: ownFeatures }];
}

/** OFFERs for the client that sent `start`: those of the PCs, edited ones, and the attacker's own. */
function offersFor(start: Start, heard: readonly Message[], early: readonly string[]): Of<typeof TYPE.OFFER>[] {
  const { pid } = start;
  const commit = (publicKey: Uint8Array, nonce: Uint8Array): Uint8Array =>
    f4(symbolicCrypto, x(publicKey), x(start.publicKey), nonce, 0);
  const canned = features("PC 0", [
    [8, 1],
    [9, 1],
  ]);
  const honest = heard.filter(is(TYPE.OFFER));
  const edited = honest.flatMap((offer) => [
    { ...offer, publicKey: mirrored(offer.publicKey) },
    { ...offer, publicKey: weakened(offer.publicKey) },
    { ...offer, features: withFeature(offer.features, 4, "evil") },
  ]);
  const mine = [ownNonce, ...early.map(nonceFor)].map((nonce) => ({
    publicKey: own.public,
    commitment: commit(own.public, nonce),
  }));
  const mirror = { publicKey: start.publicKey, commitment: commit(start.publicKey, ownNonce) };
  return [
    ...honest,
    ...edited,
    ...[...mine, mirror].map((each) => ({ type: TYPE.OFFER, pid, seq: SEQ.start, features: canned, ...each })),
  ];
}

/** One attempt as its device has seen it. */
interface Session {
  readonly pid: Uint8Array;
  start?: Start;
  offer?: Of<typeof TYPE.OFFER>;
  na?: Uint8Array;
  nb?: Uint8Array;
  /** START, OFFER, NONCE, REVEAL, as they came and went. */
  readonly transcript: Uint8Array[];
  peerKey?: Uint8Array;
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
  } else if (message.type === TYPE.OFFER && !session.offer) session.offer = message;
  else if (message.type === TYPE.NONCE && !session.na) session.na = message.nonce;
  else if (message.type === TYPE.REVEAL && !session.nb) session.nb = message.nonce;
  else return;
  session.transcript.push(bytes);
  const key = pc ? session.start?.publicKey : session.offer?.publicKey;
  if (key) session.peerKey = key;
}

const sessionCache = new WeakMap<LocalState, Session[]>();

/** The attempts of a PC, by what it was given and what it answered. */
function pcSessions(state: LocalState): Session[] {
  const cached = sessionCache.get(state);
  if (cached) return cached;
  const sessions: Session[] = [];
  for (const bytes of state.log) {
    const message = messageIn(bytes);
    if (!message) continue;
    let session = sessions.find(({ pid }) => equalConstantTime(pid, message.pid));
    if (!session) {
      session = { pid: message.pid, transcript: [] };
      sessions.push(session);
    }
    record(session, bytes, true);
  }
  sessionCache.set(state, sessions);
  return sessions;
}

/** The attempt of a client; of a PC, the one it made its bond in. */
function sessionOf(state: LocalState, pc: boolean): Session {
  if (pc) {
    const bonded = saidBy(state).find((message) => message?.type === TYPE.IDENTIFIED);
    return (
      pcSessions(state).find(({ pid }) => bonded && equalConstantTime(pid, bonded.pid)) ?? {
        pid: new Uint8Array(8),
        transcript: [],
      }
    );
  }
  const cached = sessionCache.get(state)?.[0];
  if (cached) return cached;
  const session: Session = { pid: new Uint8Array(8), transcript: [] };
  for (const bytes of state.log) record(session, bytes, false);
  sessionCache.set(state, [session]);
  return session;
}

/** The keys of an attempt, if the attacker can work them out: the other side's key is its own, or a weak point. */
function keysOf(session: Session): ImpostorKeys | undefined {
  const { start, offer, na, nb, peerKey, transcript } = session;
  if (!start || !offer || !na || !nb || !peerKey || !isEve(peerKey)) return undefined;
  const talk: Talk = { pid: start.pid, featuresA: start.features, featuresB: offer.features, na, nb, transcript };
  const other = peerKey === start.publicKey ? offer.publicKey : start.publicKey;
  return new ImpostorKeys(symbolicCrypto, isWeak(peerKey) ? weak : own, other, talk);
}

/** Both sides bonded over the same bytes. */
function saidTheSame(client: LocalState, pc: LocalState): boolean {
  const [a, b] = [sessionOf(client, false).transcript, sessionOf(pc, true).transcript];
  return a.length === b.length && a.every((bytes, i) => equalConstantTime(bytes, b[i] ?? new Uint8Array()));
}

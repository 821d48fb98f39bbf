import { equalConstantTime, toHex } from "#kernel/bytes.js";
import { type Address, type Instant, sameAddress } from "#kernel/ports.js";
import type { PairedPeer, PairingIdentity } from "#pairing/exchange.js";
import { PairingInitiator } from "#pairing/initiator.js";
import type { ResponderMethod } from "#pairing/invitation.js";
import { type PairingLink, parseLink } from "#pairing/link.js";
import { encodeMessage, type Message, TYPE } from "#pairing/messages.js";
import { PairingResponder } from "#pairing/responder.js";
import { pairingMessage } from "../attacks/attacker.js";
import { bodyOf, SEQ } from "../attacks/impostors.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { symbolicCrypto } from "./symbolicCrypto.js";

// The product's own state machines as the agents of the search. A machine is a function of what it has been given, so an agent's
// state is its history; each history is run once, on a fresh machine.

const NOW: Instant = 1;
/** Where everybody seems to be: the attacker can send from any address. */
const HERE: Address = { host: "10.0.0.2", port: 50_000 };
const THERE: Address = { host: "10.0.0.1", port: 4760 };

export type Start = Message & { readonly type: typeof TYPE.START };

export type Input =
  | { readonly kind: "deliver"; readonly bytes: Uint8Array }
  /** START with a cookie that its sender has fetched: for PCs. */
  | { readonly kind: "start"; readonly start: Start }
  /** The person's answer to what is on this screen. */
  | { readonly kind: "yes" | "no"; readonly screen: string }
  | { readonly kind: "type"; readonly screen: string; readonly text: string };

/** How a person wants to pair. */
export type Way = "compare" | "code" | "link" | "secret";

/** What can be seen of a machine from outside after a history. */
export interface Seen {
  readonly said: readonly Uint8Array[];
  /** What it heard and said, in order. */
  readonly log: readonly Uint8Array[];
  readonly screen: { readonly id: string; readonly digits: string } | undefined;
  /** Letters on a PC's screen. */
  readonly letters?: string | undefined;
  /** Which letters each attempt has taken. */
  readonly taken?: ReadonlyMap<string, string>;
  /** What the person is asked, apart from digits. */
  readonly asks?: { readonly id: string; readonly for: "letters" | "approval" } | undefined;
  readonly bonds: readonly PairedPeer[];
  readonly over: boolean;
  /** How many inputs it has ignored. */
  readonly ignored: number;
}

export interface LocalState extends Seen {
  readonly id: number;
  readonly history: readonly Input[];
}

function keyOf(input: Input): string {
  const typed = input.kind === "type" ? input.text : "";
  return `${input.kind} ${"screen" in input ? input.screen : bytesOf(input).map(toHex)} ${typed}`;
}

function bytesOf(input: Input): Uint8Array[] {
  if (input.kind === "deliver") return [input.bytes];
  return input.kind === "start" ? [encodeMessage(input.start)] : [];
}

/** One device and all local states of it that the search has come to. */
export class Agent {
  readonly name: string;
  readonly start: LocalState;
  readonly #run: (history: readonly Input[]) => Seen;
  readonly #next = new Map<string, LocalState>();
  readonly #alike = new Map<string, LocalState>();
  #count = 0;

  constructor(name: string, run: (history: readonly Input[]) => Seen) {
    this.name = name;
    this.#run = run;
    this.start = { id: this.#count++, history: [], ...run([]) };
  }

  /** The state after one more input; the same object when the machine ignored it. */
  after(state: LocalState, input: Input): LocalState {
    const key = `${state.id} ${keyOf(input)}`;
    const known = this.#next.get(key);
    if (known) return known;
    const history = [...state.history, input];
    const seen = this.#run(history);
    const next = this.#settled(state, input, history, seen);
    this.#next.set(key, next);
    return next;
  }

  #settled(state: LocalState, input: Input, history: readonly Input[], seen: Seen): LocalState {
    const fresh = seen.said.slice(state.said.length).map(typeOf);
    if (fresh.length === 0 && seen.ignored > state.ignored) return state;
    // The same again, and nothing new comes of it: a retransmission.
    const again = history.slice(0, -1).some((one) => keyOf(one) === keyOf(input));
    if (again && fresh.every((type) => type === TYPE.WAIT || type === undefined)) return state;
    if (
      again &&
      seen.said.slice(state.said.length).every((bytes) => state.said.some((old) => equalConstantTime(old, bytes)))
    )
      return state;
    // A refused START is answered and not remembered.
    if (input.kind === "start" && fresh.every((type) => type === TYPE.ABORT)) return state;
    const next = { id: this.#count, history, ...seen };
    const essence = essenceOf(next);
    const known = this.#alike.get(essence);
    if (known) return known;
    this.#alike.set(essence, next);
    this.#count++;
    return next;
  }
}

/** Attempts that an ABORT has ended differ only in how many they are and in what they have told the attacker. */
function essenceOf({ log, said, history, over, screen, bonds, letters, asks }: LocalState): string {
  const ended = new Set(said.filter((bytes) => typeOf(bytes) === TYPE.ABORT).map(pidOf));
  const live = log.filter((bytes) => !ended.has(pidOf(bytes)) && typeOf(bytes) !== TYPE.ABORT);
  const told = said.filter((bytes) => ended.has(pidOf(bytes)) && typeOf(bytes) !== TYPE.ABORT);
  const answers = history
    .map((input) =>
      input.kind === "deliver" || input.kind === "no" ? "" : input.kind === "type" ? input.text : input.kind,
    )
    .join(" ");
  const rest = `${answers} ${over} ${screen?.id} ${letters} ${asks?.id} ${bonds.length} ${[...ended].sort().join()}`;
  return `${live.map(toHex).join()} ${told.map(toHex).sort().join()} ${rest}`;
}

function pidOf(bytes: Uint8Array): string {
  return toHex(bytes.subarray(4, 12));
}

function typeOf(bytes: Uint8Array): number | undefined {
  return pairingMessage(bytes)?.type;
}

function identityOf(name: string, random: SeededRandom): PairingIdentity {
  const { public: staticPublic } = symbolicCrypto.x25519KeyPair(random.bytes(32));
  return { staticPublic, irk: random.bytes(16), name, platform: "test", appId: "handfast" };
}

/** A PC whose window is open. Its disk is fast: writes are done at once. */
export function runPc(pc: PcSetup, history: readonly Input[]): Seen {
  const responder = openPc(pc);
  const said: Uint8Array[] = [];
  const log: Uint8Array[] = [];
  const bonds: PairedPeer[] = [];
  let screen: Seen["screen"];
  let letters: string | undefined;
  const taken = new Map<string, string>();
  let asks: Seen["asks"];
  const settle = (): void => {
    for (let event = responder.nextEvent(); event; event = responder.nextEvent()) {
      if (event.type === "persistAttempts" && event.id !== undefined) responder.attemptsPersisted(event.id, NOW);
      if (event.type === "digits") screen = { id: event.id, digits: event.digits };
      if (event.type === "letters") letters = event.letters;
      if (event.type === "approve") asks = { id: event.id, for: "approval" };
      if (event.type === "failed") [screen, asks] = [undefined, undefined];
      if (event.type !== "provisional") continue;
      bonds.push(event.peer);
      responder.bondStored(event.id);
    }
    for (let out = responder.nextDatagram(); out; out = responder.nextDatagram()) {
      said.push(out.bytes);
      log.push(out.bytes);
      // The letters on the screen belong to whom the first commitment is answered.
      if (typeOf(out.bytes) === TYPE.COMMITTED && !taken.has(pidOf(out.bytes)))
        taken.set(pidOf(out.bytes), letters ?? "");
    }
  };
  settle();
  for (const input of history) {
    log.push(...bytesOf(input));
    if (input.kind === "yes") responder.confirm(input.screen);
    if (input.kind === "no") responder.reject(input.screen, NOW);
    for (const bytes of bytesOf(input)) responder.receive(bytes, HERE, NOW);
    settle();
  }
  const { malformed, closed, cookie, unexpected } = responder.drops;
  const ignored = malformed + closed + cookie + unexpected;
  return { said, log, screen, letters, taken, asks, bonds, over: !responder.isOpen, ignored };
}

/** A device as it is set up: its name, the seed of everything it draws, and the way its person chose. */
export interface PcSetup {
  readonly name: string;
  readonly seed: number;
  readonly way: Way;
}

/** The cookie that this PC gives for a HELLO. It keeps nothing of the question, so the question is no step of the search. */
export function cookieFor(pc: PcSetup, hello: Message): Uint8Array {
  const responder = openPc(pc);
  responder.receive(encodeMessage(hello), HERE, NOW);
  const answer = pairingMessage(responder.nextDatagram()?.bytes ?? new Uint8Array());
  if (answer?.type !== TYPE.RETRY) throw new Error("this PC gives no cookies");
  return answer.cookie;
}

/** The same START with a cookie of this PC. */
export function withCookieOf(pc: PcSetup, start: Start): Start {
  const bodyHash = symbolicCrypto.sha256(bodyOf(start.features, start.publicKey));
  const hello = { type: TYPE.HELLO, pid: start.pid, seq: SEQ.hello, bodyHash, padding: new Uint8Array(40) };
  return { ...start, cookie: cookieFor(pc, hello) };
}

function openPc({ name, seed, way }: PcSetup): PairingResponder {
  const random = new SeededRandom(seed);
  const identity = identityOf(name, random);
  const attempts = { failures: 0, windows: 0 };
  const responder = new PairingResponder({ crypto: symbolicCrypto, random: random.bytes, identity, attempts });
  responder.openWindow({ method: methodOf(way) }, NOW);
  return responder;
}

/** What a third party gave to both, and to nobody else. */
const SECRET = new Uint8Array(16).fill(0x5e);

function methodOf(way: Way): ResponderMethod {
  if (way === "link") return { kind: way, addresses: [THERE] };
  return way === "secret" ? { kind: way, secret: SECRET } : { kind: way };
}

const links = new Map<number, PairingLink>();

/** What this PC shows first when its person chose a link. */
export function linkOf(pc: PcSetup): PairingLink {
  const link = links.get(pc.seed) ?? shownBy(pc);
  links.set(pc.seed, link);
  return link;
}

function shownBy(pc: PcSetup): PairingLink {
  const responder = openPc({ ...pc, way: "link" });
  for (let event = responder.nextEvent(); event; event = responder.nextEvent())
    if (event.type === "link") return parseLink(event.link);
  throw new Error("this PC shows no link");
}

/** A client that has begun to pair with the PC `target`, and already holds its cookie. */
export function runClient({ name, seed, way }: PcSetup, target: PcSetup, history: readonly Input[]): Seen {
  const random = new SeededRandom(seed);
  const identity = identityOf(name, random);
  const initiator = new PairingInitiator({
    ...{ crypto: symbolicCrypto, random: random.bytes, identity, to: THERE, now: NOW },
    method:
      way === "link"
        ? { kind: way, link: linkOf(target) }
        : way === "secret"
          ? { kind: way, secret: SECRET }
          : { kind: way },
  });
  const said: Uint8Array[] = [];
  const log: Uint8Array[] = [];
  const bonds: PairedPeer[] = [];
  let screen: Seen["screen"];
  let over = false;
  let asks: Seen["asks"];
  const settle = (): void => {
    for (let event = initiator.nextEvent(); event; event = initiator.nextEvent()) {
      if (event.type === "digits") screen = { id: event.id, digits: event.digits };
      if (event.type === "code") asks = { id: event.id, for: "letters" };
      if (event.type === "failed" || event.type === "done") over = true;
      if (event.type !== "provisional") continue;
      bonds.push(event.peer);
      initiator.bondStored();
    }
    for (let out = initiator.nextDatagram(NOW); out; out = initiator.nextDatagram(NOW))
      if (sameAddress(out.to, THERE)) {
        said.push(out.bytes);
        log.push(out.bytes);
      }
  };
  settle();
  const fetch = (cookie: Uint8Array, pid: Uint8Array): void => {
    initiator.receive(encodeMessage({ type: TYPE.RETRY, pid, seq: SEQ.hello, cookie }), THERE, NOW);
    settle();
  };
  const hello = pairingMessage(said[0] ?? new Uint8Array());
  if (hello?.type === TYPE.HELLO) fetch(cookieFor(target, hello), hello.pid);
  for (const input of history) {
    log.push(...bytesOf(input));
    if (input.kind === "yes") initiator.confirm(NOW);
    if (input.kind === "no") initiator.reject(NOW);
    if (input.kind === "type" && initiator.enterCode(input.text, NOW)) asks = undefined;
    for (const bytes of bytesOf(input)) initiator.receive(bytes, THERE, NOW);
    settle();
  }
  return {
    said,
    log,
    screen: over ? undefined : screen,
    asks: over ? undefined : asks,
    bonds,
    over,
    ignored: initiator.dropped,
  };
}

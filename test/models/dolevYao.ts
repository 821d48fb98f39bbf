import { equalConstantTime, toHex } from "#kernel/bytes.js";
import { encodeMessage, type Message, TYPE } from "#pairing/messages.js";
import { MODEL, type Model, PASSKEY_ROUNDS, traitsOf } from "#pairing/models.js";
import { SEQ } from "../attacks/impostors.js";
import {
  Agent,
  type Input,
  type LocalState,
  linkOf,
  type PcSetup,
  runClient,
  runPc,
  type Start,
  type Way,
  withCookieOf,
} from "./agents.js";
import {
  isEve,
  type Knowledge,
  keysOf,
  knowledgeOf,
  type OutOfBandKeys,
  offersFor,
  ownCommitments,
  ownNonce,
  ownStatic,
  sayRound,
  startsFor,
  withLink,
  withoutOutOfBand,
} from "./eve.js";
import { explore, type Verdict } from "./explore.js";
import { whatThePersonDoes } from "./person.js";
import { is, pcSessions, type Session, saidBy, saidTheSame, sessionOf, signature } from "./sessions.js";
import { nonceFor } from "./symbolicCrypto.js";

// A Dolev-Yao attacker against the product's state machines: it owns the wire, has keys of its own, and builds every message it
// can from what it has heard. People obey one rule: yes when the screens in front of them show the same, no when they differ.
// Bounded and symbolic: a search that finds nothing is no proof.

/** Who is there. Each person has one client and one PC; `attempts` is how often the client tries. */
export interface Scenario {
  readonly people: number;
  readonly attempts: number;
  /** Attempts that each PC takes, the attacker's included. */
  readonly sessions: number;
  /** How the PC's person, and how the client's, wants to pair. Default: by digits on both sides. */
  readonly pcWay?: Way;
  readonly clientWay?: Way;
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
const PC_USES: readonly number[] = [
  ...[TYPE.START, TYPE.NONCE, TYPE.REVEAL, TYPE.CHECK, TYPE.IDENT],
  ...[TYPE.COMMIT, TYPE.COMMITTED],
];
const CLIENT_USES: readonly number[] = [
  ...[TYPE.OFFER, TYPE.NONCE, TYPE.REVEAL, TYPE.CHECK, TYPE.CHECKED, TYPE.IDENTIFIED],
  ...[TYPE.COMMIT, TYPE.COMMITTED],
];

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

/** Whether the search comes to a pairing that ends as the two people want it: one bond, on both sides. */
export function reachesBond(scenario: Scenario, limit: number): boolean {
  const search = new Search(scenario);
  const bonded = ({ states }: World): boolean => states.filter(({ bonds }) => bonds.length > 0).length >= 2;
  const verdict = explore<World>(
    {
      start: { states: search.devices.map(({ agent }) => agent.start) },
      key: ({ states }) => states.map(({ id }) => id).join(),
      next: (world, step) => search.next(world, step),
      violated: (world) => (bonded(world) ? "paired" : undefined),
    },
    limit,
  );
  return verdict.broken !== undefined;
}

class Search {
  readonly devices: Device[] = [];
  readonly #pcs: PcSetup[] = [];
  readonly #scenario: Scenario;
  readonly #moves = new Map<string, readonly Move[]>();

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    for (let person = 0; person < scenario.people; person++) {
      const pc: PcSetup = { name: `PC ${person}`, seed: 1000 + person, way: scenario.pcWay ?? "compare" };
      const way = scenario.clientWay ?? "compare";
      this.#pcs.push(pc);
      const agent = new Agent(pc.name, (history) => runPc(pc, history));
      this.devices.push({ agent, role: "pc", person, after: undefined });
      for (let attempt = 0; attempt < scenario.attempts; attempt++) {
        const seed = 2000 + 10 * person + attempt;
        const client = new Agent(`phone ${person}`, (history) =>
          runClient({ name: `phone ${person}`, seed, way }, pc, history),
        );
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
      bits: this.#known(world) + this.#learnedLinks(world).length,
    };
    for (const [at, device] of this.devices.entries()) {
      const state = world.states[at];
      if (!state || !this.#present(world, device)) continue;
      const to = (after: LocalState): World => ({ states: world.states.map((each, i) => (i === at ? after : each)) });
      this.#ask(world, device, state, (what, after) => step(`${what} ${device.agent.name}`, to(after)));
      const key = `${at} ${state.id} ${signatures[device.role]} ${signatures.screens} ${signatures.bits}`;
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

  /** All attempts with letters, of everybody. */
  #sessions(world: World): Session[] {
    if (this.#scenario.pcWay !== "code" && this.#scenario.clientWay !== "code") return [];
    return world.states.flatMap((state, i) =>
      this.devices[i]?.role === "pc" ? pcSessions(state) : [sessionOf(state, false)],
    );
  }

  #knowledge(world: World, session: Session): Knowledge {
    return knowledgeOf(session.letters, this.#sessions(world), screens(world));
  }

  /** What is known of the letters, for two worlds to be alike. */
  #known(world: World): string {
    return this.#sessions(world)
      .map((session) => this.#knowledge(world, session).bits.join("."))
      .join();
  }

  /** Clients that have used their link under a key of the attacker's: it knows these links now. */
  #learnedLinks(world: World): OutOfBandKeys[] {
    if (this.#scenario.clientWay !== "link") return [];
    return this.devices.flatMap(({ role, person }, i) => {
      const [state, pc] = [world.states[i], this.#pcs[person]];
      if (role !== "client" || !state || !pc || !saidBy(state).some(({ type }) => type === TYPE.CHECK)) return [];
      const { peerKey } = sessionOf(state, false);
      return peerKey && isEve(peerKey) ? [withLink(linkOf(pc))] : [];
    });
  }

  #outOfBand(world: World, way: Way | undefined): OutOfBandKeys[] {
    if (way !== "link" && way !== "secret") return [];
    return [withoutOutOfBand(way), ...this.#learnedLinks(world)];
  }

  /** The person looks at this screen and at the other one in front of them. */
  #ask(world: World, device: Device, state: LocalState, answer: (what: string, after: LocalState) => void): void {
    for (const [i, other] of this.devices.entries()) {
      const seen = world.states[i];
      if (!seen || other.person !== device.person || other.role === device.role || !this.#present(world, other))
        continue;
      const input = whatThePersonDoes(state, seen);
      if (!input) continue;
      const after = device.agent.after(state, input);
      if (after !== state) answer(`${input.kind} at`, after);
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
      for (const start of startsFor(heard, begun, modelOf(this.#scenario.pcWay))) {
        const own = heard.includes(start) && this.#targetOf(world, start) === device.person;
        give("START", { kind: "start", start: own ? start : withCookieOf(setup, start) });
      }
    for (const session of pcSessions(state)) {
      if (session.over || !session.offer) continue;
      const { pid } = session;
      const { bits, passkey } = this.#knowledge(world, session);
      if (this.#scenario.pcWay === "code") sayRound(session, heard, bits, say);
      else if (!session.na)
        for (const nonce of this.#noncesFor(world, heard, device.agent, state, pid))
          say({ type: TYPE.NONCE, pid, seq: SEQ.nonce, nonce });
      if (!session.nb || (session.rounds.length > 0 && !session.rounds[PASSKEY_ROUNDS - 1]?.nb)) continue;
      const { checkSeq } = traitsOf(session.rounds.length > 0 ? MODEL.passkey : MODEL.numeric);
      const keys = keysOf(session, passkey, this.#outOfBand(world, this.#scenario.pcWay));
      const checks = [...heard.filter(is(TYPE.CHECK)).map((each) => each.check), ...keys.map(({ checkA }) => checkA)];
      for (const check of checks) say({ type: TYPE.CHECK, pid, seq: checkSeq, check });
      const idents = heard.filter(is(TYPE.IDENT)).map((each) => each.sealed);
      idents.push(...keys.map((one) => one.seal("hf1 ir", { staticPublic: ownStatic, irk: ownNonce })));
      for (const sealed of idents) say({ type: TYPE.IDENT, pid, seq: checkSeq + 1, sealed });
    }
  }

  #toClient(world: World, state: LocalState, heard: readonly Message[], say: (message: Message) => void): void {
    const session = sessionOf(state, false);
    const { start } = session;
    const last = saidBy(state).at(-1);
    if (!start || !last || state.over) return;
    const { pid } = start;
    const { seq } = last;
    const { bits, passkey } = this.#knowledge(world, session);
    const keys = keysOf(session, passkey, this.#outOfBand(world, this.#scenario.clientWay));
    if (!session.offer) {
      for (const offer of offersFor(start, heard, this.#early(world, state))) say({ ...offer, pid });
    } else if (last.type === TYPE.COMMIT) {
      // What it has just said can be sent back to it, as everything else that was heard.
      const heardOnes = [...heard.filter(is(TYPE.COMMITTED)), ...heard.filter(is(TYPE.COMMIT))];
      const own = ownCommitments(start.publicKey, bits[(seq - 2) >> 1]);
      for (const commitment of [...heardOnes.map((each) => each.commitment), ...own])
        say({ type: TYPE.COMMITTED, pid, seq, commitment });
    } else if (last.type === TYPE.NONCE) {
      const nonces = [...heard.filter(is(TYPE.REVEAL)), ...heard.filter(is(TYPE.NONCE))].map((each) => each.nonce);
      const searched = session.rounds.length > 0 ? [] : screens(world).map(nonceFor);
      for (const nonce of [...nonces, ownNonce, ...searched]) say({ type: TYPE.REVEAL, pid, seq, nonce });
    } else if (last.type === TYPE.CHECK) {
      const checks = [...heard.filter(is(TYPE.CHECKED)), ...heard.filter(is(TYPE.CHECK))].map((each) => each.check);
      for (const check of [...checks, ...keys.map(({ checkB }) => checkB)])
        say({ type: TYPE.CHECKED, pid, seq, check });
    } else if (last.type === TYPE.IDENT) {
      const sealed = heard.filter(is(TYPE.IDENTIFIED)).map((each) => each.sealed);
      sealed.push(...keys.map((one) => one.seal("hf1 ri", { staticPublic: ownStatic, irk: ownNonce })));
      for (const one of sealed) say({ type: TYPE.IDENTIFIED, pid, seq, sealed: one });
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

function modelOf(way: Way = "compare"): Model {
  if (way === "compare") return MODEL.numeric;
  return way === "code" ? MODEL.passkey : MODEL.outOfBand;
}

const NAMES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(TYPE).map(([name, type]) => [type, name]),
);

function screens(world: World): string[] {
  return world.states.flatMap(({ screen }) => (screen ? [screen.digits] : []));
}

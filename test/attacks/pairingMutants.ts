import type { Edit, Mutant } from "./mutants.js";
import type * as door from "./stories/atTheDoor.js";
import type * as screens from "./stories/betweenTheScreens.js";
import type * as back from "./stories/comingBack.js";

/** A check of the pairing, taken out, and the attack that must then succeed. */
export interface Twin extends Mutant {
  readonly story: Story;
  /** Applied to the product in both runs, to make the attack small enough for a test. */
  readonly weakened?: readonly Edit[];
}

type Story =
  | readonly ["betweenTheScreens", keyof typeof screens]
  | readonly ["atTheDoor", keyof typeof door]
  | readonly ["comingBack", keyof typeof back];

const exchange = (find: string, replace: string): Edit => ({ file: "src/pairing/exchange.js", find, replace });
const initiator = (find: string, replace: string): Edit => ({ file: "src/pairing/initiator.js", find, replace });
const responder = (find: string, replace: string): Edit => ({ file: "src/pairing/responder.js", find, replace });
const session = (find: string, replace: string): Edit => ({ file: "src/pairing/responderSession.js", find, replace });

const uncheckedCommitment = initiator("!equalConstantTime(f4(crypto, xB, xA, nb, 0), state.commitment)", "false");
const bareAddresses = exchange("crypto.sha256(utf8(label), features, pid)", "crypto.sha256(utf8(label))");
const transcriptWithout = (index: number): Edit =>
  exchange("...talk.transcript.flatMap(", `...talk.transcript.filter((_, i) => i !== ${index}).flatMap(`);

const liveAtInit: Edit = {
  file: "transport/endpoint.js",
  find: 'this.#open({ ...accepted, role: "responder", path, rttMs: undefined }, now);',
  replace: 'this.#goLive(this.#open({ ...accepted, role: "responder", path, rttMs: undefined }, now), undefined);',
};

export const twins: readonly Twin[] = [
  {
    id: "no-commitment",
    without: "a commitment",
    story: ["betweenTheScreens", "chooseNonceLast"],
    edits: [
      session(
        "const commitment = f4(crypto, xOf(publicKey), xOf(message.publicKey), nb, 0);",
        "const commitment = new Uint8Array(16);",
      ),
      uncheckedCommitment,
    ],
  },
  {
    id: "commitment-unchecked",
    without: "the check of the commitment",
    story: ["betweenTheScreens", "chooseNonceLast"],
    edits: [uncheckedCommitment],
  },
  {
    id: "nonce-early",
    without: "waiting for the commitment before the nonce leaves",
    story: ["betweenTheScreens", "learnNonceEarly"],
    edits: [
      initiator(
        "const start = this.#send({ type: TYPE.START,",
        "this.early = this.#options.random(16); this.#aborts.push(encodeMessage({ type: TYPE.NONCE, pid: this.#pid, seq: STEP.nonce, nonce: this.early })); const start = this.#send({ type: TYPE.START,",
      ),
      initiator("const na = random(16);", "const na = this.early;"),
    ],
  },
  {
    id: "nonce-reused",
    without: "a fresh nonce for each attempt",
    story: ["betweenTheScreens", "reuseNonce"],
    weakened: [{ file: "src/pairing/toolbox.js", find: "value % 1_000_000", replace: "value % 10_000" }],
    edits: [session("const nb = random(16);", "const nb = (globalThis.handfastNonce ??= random(16));")],
  },
  {
    id: "commitment-without-pka",
    without: "the phone's key in the commitment",
    story: ["betweenTheScreens", "looseCommitment"],
    edits: [
      session(
        "f4(crypto, xOf(publicKey), xOf(message.publicKey), nb, 0)",
        "f4(crypto, xOf(publicKey), new Uint8Array(32), nb, 0)",
      ),
    ],
  },
  {
    id: "same-x",
    without: "the refusal of our own key",
    story: ["betweenTheScreens", "reflectKey"],
    edits: [exchange("return own === undefined || !equalConstantTime(xOf(peer), xOf(own));", "return true;")],
  },
  {
    id: "weak-point-phone",
    without: "the check that the PC's point is on the curve",
    story: ["betweenTheScreens", "weakPointToPhone"],
    edits: [exchange("!crypto.p256IsValidPoint(peer) || ", "")],
  },
  {
    id: "weak-point-pc",
    without: "the check that the phone's point is on the curve",
    story: ["betweenTheScreens", "weakPointToPc"],
    edits: [exchange("!crypto.p256IsValidPoint(peer) || ", "")],
  },
  {
    id: "debug-key",
    without: "the refusal of the debug key",
    story: ["betweenTheScreens", "debugKey"],
    edits: [exchange(" || equalConstantTime(xOf(peer), DEBUG_KEY_X)", "")],
  },
  {
    id: "transcript-without-m1",
    without: "START in the transcript",
    story: ["betweenTheScreens", "negateStartedKey"],
    edits: [transcriptWithout(0)],
  },
  {
    id: "transcript-without-m2",
    without: "OFFER in the transcript",
    story: ["betweenTheScreens", "negateOfferedKey"],
    edits: [transcriptWithout(1)],
  },
  {
    id: "features-unbound",
    without: "the features in transcript and addresses",
    story: ["betweenTheScreens", "editPlatform"],
    edits: [transcriptWithout(1), bareAddresses],
  },
  {
    id: "model-from-peer",
    without: "the choice of the way by our own person",
    story: ["betweenTheScreens", "otherModel"],
    edits: [initiator("parsedB.chosen.model !== MODEL_NUMERIC || ", "")],
  },
  {
    id: "check-a",
    without: "the check of Ea",
    story: ["betweenTheScreens", "forgeCheckA"],
    edits: [session("!equalConstantTime(check, keys.checkA)", "false")],
  },
  {
    id: "check-b",
    without: "the check of Eb",
    story: ["betweenTheScreens", "forgeCheckB"],
    edits: [initiator("!equalConstantTime(check, state.keys.checkB)", "false")],
  },
  {
    id: "low-order-static",
    without: "the refusal of low-order static keys",
    story: ["betweenTheScreens", "lowOrderStatic"],
    edits: [exchange(" && crypto.x25519(crypto.x25519KeyPair(random(32)), peer) !== undefined", "")],
  },
  {
    id: "other-name",
    without: "the check that the name has stayed the same",
    story: ["betweenTheScreens", "renameAtTheEnd"],
    edits: [exchange(" || name !== expectedName", "")],
  },
  {
    id: "one-sided-yes",
    without: "the yes of the PC's person",
    story: ["betweenTheScreens", "skipThePcPerson"],
    edits: [session(" || !state.userYes", "")],
  },
  {
    id: "ident-early",
    without: "the order yes before identity",
    story: ["betweenTheScreens", "identBeforeYes"],
    edits: [
      responder(
        'state.name === "ident" && message.type',
        '(state.name === "ident" || state.name === "checked") && message.type',
      ),
      session('if (state.name !== "ident")', 'if (!("keys" in state))'),
    ],
  },
  {
    id: "no-cookie",
    without: "the cookie",
    story: ["atTheDoor", "spoofedStart"],
    edits: [responder("!this.#cookies.check(message.cookie, from, message.pid, bodyHash, now)", "false")],
  },
  {
    id: "always-open",
    without: "the closed window",
    story: ["atTheDoor", "closedWindow"],
    edits: [responder("!this.#window.isOpen && !this.#window.isLocked(now)", "false")],
  },
  {
    id: "count-later",
    without: "counting before the answer",
    story: ["atTheDoor", "guessUncounted"],
    edits: [
      responder(
        "session.onNonce(message.nonce, datagram);",
        "session.onNonce(message.nonce, datagram); this.attemptsPersisted(now);",
      ),
    ],
  },
  {
    id: "no-limit",
    without: "the limit of three failures",
    story: ["atTheDoor", "fourthGuess"],
    edits: [{ file: "src/pairing/window.js", find: "this.#left--;", replace: "" }],
  },
  {
    id: "offers-kept",
    without: "dropping the offers of an older window",
    story: ["atTheDoor", "offerKeptOverWindows"],
    edits: [responder('if (state.name === "offered")\n', "if (false)\n")],
  },
  {
    id: "two-screens",
    without: "the one slot for digits",
    story: ["atTheDoor", "secondScreen"],
    edits: [
      responder("if (this.#active())\n", "if (false)\n"),
      responder("this.#active() || !this.#window.isOpen", "!this.#window.isOpen"),
      responder(
        "const session = this.#active();",
        'const session = [...this.#sessions.values()].find((s) => s.state.name === "counting");',
      ),
    ],
  },
  {
    id: "any-pid",
    without: "the attempt's number",
    story: ["atTheDoor", "blindAbort"],
    edits: [initiator("message && equalConstantTime(message.pid, this.#pid) ? message : undefined", "message")],
  },
  {
    id: "any-source-phone",
    without: "the phone's check of the sender's address",
    story: ["atTheDoor", "abortFromElsewhere"],
    edits: [initiator("!sameAddress(from, this.#options.to)", "false")],
  },
  {
    id: "any-source-pc",
    without: "the PC's check of the sender's address",
    story: ["atTheDoor", "abortPcFromElsewhere"],
    edits: [responder("!sameAddress(session.from, from)", "false")],
  },
  {
    id: "init-changes-state",
    without: "waiting for the first data packet",
    story: ["comingBack", "replayInit"],
    edits: [liveAtInit],
  },
  {
    id: "provisional-authorises",
    without: "the proof by the channel before a bond counts",
    story: ["comingBack", "useProvisionalBond"],
    edits: [liveAtInit],
  },
  {
    id: "old-bond-deleted",
    without: "keeping the old bond until the new one is confirmed",
    story: ["comingBack", "breakRepairing"],
    edits: [
      {
        file: "src/device/server.js",
        find: "await store.put(bondFrom(peer, clock.wall()));",
        replace:
          "for (const { id } of store.bonds()) await store.drop(id); await store.put(bondFrom(peer, clock.wall()));",
      },
    ],
  },
];

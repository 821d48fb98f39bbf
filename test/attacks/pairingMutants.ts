import type { Edit } from "./mutants.js";
import type * as atTheDoor from "./stories/atTheDoor.js";
import type * as screens from "./stories/betweenTheScreens.js";
import type * as back from "./stories/comingBack.js";
import type * as letters from "./stories/lettersAndLinks.js";
import type * as keys from "./stories/newKeys.js";
import type { Twin } from "./twins.js";

/** A check of the pairing, taken out. */
interface PairingTwin extends Twin {
  readonly story: Story;
}

type Story =
  | readonly ["betweenTheScreens", keyof typeof screens]
  | readonly ["atTheDoor", keyof typeof atTheDoor]
  | readonly ["comingBack", keyof typeof back]
  | readonly ["lettersAndLinks", keyof typeof letters]
  | readonly ["newKeys", keyof typeof keys];

const edit =
  (file: string) =>
  (find: string, replace: string): Edit => ({ file: `src/pairing/${file}.js`, find, replace });
const exchange = edit("exchange");
const initiator = edit("initiator");
const initiatorNumeric = edit("initiatorNumeric");
const initiatorShared = edit("initiatorShared");
const passkey = edit("passkey");
const responder = edit("responder");
const door = edit("responderDoor");
const responderNumeric = edit("responderNumeric");
const responderShared = edit("responderShared");
const responderTable = edit("responderTable");

const uncheckedCommitment = initiatorNumeric(
  "!equalConstantTime(f4(crypto, xB, xA, nb, 0), state.commitment)",
  "false",
);
const bareAddresses = exchange("crypto.sha256(utf8(label), features, pid)", "crypto.sha256(utf8(label))");
const transcriptWithout = (index: number): Edit =>
  exchange("...talk.transcript.flatMap(", `...talk.transcript.filter((_, i) => i !== ${index}).flatMap(`);

const rekey = (find: string, replace: string): Edit => ({ file: "transport/rekeyHandshake.js", find, replace });

const liveAtInit: Edit = {
  file: "transport/endpoint.js",
  find: "openConnection(this.#surroundings, answeredHandshake(accepted, path), now);",
  replace:
    "this.#lifecycle.goLive(openConnection(this.#surroundings, answeredHandshake(accepted, path), now), undefined);",
};

const noExchange: Edit = {
  file: "src/device/prove.js",
  find: "needsExchange(moved) ? await exchange(ports, handshake, moved) : moved",
  replace: "moved",
};

export const twins: readonly PairingTwin[] = [
  {
    id: "no-commitment",
    without: "a commitment",
    story: ["betweenTheScreens", "chooseNonceLast"],
    edits: [
      responderNumeric(
        "const commitment = f4(crypto, xOf(publicB), xOf(publicA), nb, 0);",
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
        "this.#enter(outcome.to);",
        'this.#enter(outcome.to); if (outcome.to.name === "started") this.#aborts.push(encodeMessage({ type: TYPE.NONCE, pid: this.#context.pid, seq: 2, nonce: (this.#context.early = this.#context.random(16)) }));',
      ),
      initiatorNumeric("const na = context.random(16);", "const na = context.early;"),
    ],
  },
  {
    id: "nonce-reused",
    without: "a fresh nonce for each attempt",
    story: ["betweenTheScreens", "reuseNonce"],
    weakened: [{ file: "src/pairing/toolbox.js", find: "value % 1_000_000", replace: "value % 10_000" }],
    edits: [responderNumeric("const nb = random(16);", "const nb = (globalThis.handfastNonce ??= random(16));")],
  },
  {
    id: "commitment-without-pka",
    without: "the phone's key in the commitment",
    story: ["betweenTheScreens", "looseCommitment"],
    edits: [responderNumeric("xOf(publicA), nb, 0)", "new Uint8Array(32), nb, 0)")],
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
    id: "same-x-letters",
    without: "the refusal of our own key, with letters",
    story: ["lettersAndLinks", "reflectRounds"],
    edits: [exchange("return own === undefined || !equalConstantTime(xOf(peer), xOf(own));", "return true;")],
  },
  {
    id: "digits-as-letters",
    without: "an alphabet of its own for what is typed",
    story: ["lettersAndLinks", "typeTheDigits"],
    edits: [
      passkey(
        "const letters = typed.toUpperCase()",
        "if (/^\\d{6}$/.test(typed)) return Number(typed); const letters = typed.toUpperCase()",
      ),
    ],
  },
  {
    id: "role-from-peer",
    without: "the fixed roles of showing and typing",
    story: ["lettersAndLinks", "swapRoles"],
    edits: [initiatorShared(" || parsedB.io !== traitsOf(model).ioResponder", "")],
  },
  {
    id: "letters-reused",
    without: "new letters for each attempt",
    story: ["lettersAndLinks", "useLettersAgain"],
    edits: [
      edit("invitation")(
        "this.passkey = drawPasskey(this.#random);",
        "this.passkey = globalThis.handfastLetters ??= drawPasskey(this.#random);",
      ),
    ],
  },
  {
    id: "letters-for-all",
    without: "letters that belong to one attempt",
    story: ["lettersAndLinks", "guessInParallel"],
    edits: [
      edit("invitation")("taken() {\n        this.passkey = undefined;", "taken() {"),
      responder("if (holder)\n            return REASON.BUSY;", ""),
      door("if (busy)", "if (false)"),
    ],
  },
  {
    id: "link-unchecked",
    without: "the link's proof of the PC's key",
    story: ["lettersAndLinks", "answerTheLink"],
    edits: [edit("initiatorOutOfBand")(" || !fitsLink(crypto, outOfBand, offered.publicB)", "")],
  },
  {
    id: "link-for-two",
    without: "the end of both who know one link",
    story: ["lettersAndLinks", "photographTheLink"],
    edits: [responder('holder && session.context.outOfBand?.kind === "link"', "false")],
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
    id: "upgrades-unbound",
    without: "the promise of ML-KEM in transcript and addresses",
    story: ["betweenTheScreens", "stripUpgrade"],
    edits: [transcriptWithout(1), bareAddresses],
  },
  {
    id: "model-from-peer",
    without: "the choice of the way by our own person",
    story: ["betweenTheScreens", "otherModel"],
    edits: [initiatorShared("parsedB.chosen.model !== model || ", "")],
  },
  {
    id: "check-a",
    without: "the check of Ea",
    story: ["betweenTheScreens", "forgeCheckA"],
    edits: [responderShared("if (equalConstantTime(check, keys.checkA))", "if (true)")],
  },
  {
    id: "check-b",
    without: "the check of Eb",
    story: ["betweenTheScreens", "forgeCheckB"],
    edits: [initiatorShared("!equalConstantTime(check, keys.checkB)", "false")],
  },
  {
    id: "low-order-static",
    without: "the refusal of low-order static keys",
    story: ["betweenTheScreens", "lowOrderStatic"],
    edits: [exchange(" && crypto.x25519(probe, peer) !== undefined", "")],
  },
  {
    id: "one-sided-yes",
    without: "the yes of the PC's person",
    story: ["betweenTheScreens", "skipThePcPerson"],
    edits: [responderShared("if (!state.userYes)", "if (false)")],
  },
  {
    id: "ident-early",
    without: "the order yes before identity",
    story: ["betweenTheScreens", "identBeforeYes"],
    edits: [responderTable("checked: {},", "checked: { IDENT: onIdent },")],
  },
  {
    id: "no-cookie",
    without: "the cookie",
    story: ["atTheDoor", "spoofedStart"],
    edits: [door("!this.#cookies.check(message.cookie, from, message.pid, bodyHash, now)", "false")],
  },
  {
    id: "always-open",
    without: "the closed window",
    story: ["atTheDoor", "closedWindow"],
    edits: [door("!this.#window.isOpen && !this.#window.isLocked(now)", "false")],
  },
  {
    id: "count-later",
    without: "counting before the answer",
    story: ["atTheDoor", "guessUncounted"],
    edits: [responderNumeric('return { to: { name: "counting", next } };', "return next;")],
  },
  {
    id: "no-limit",
    without: "the limit of three failures",
    story: ["atTheDoor", "fourthGuess"],
    edits: [{ file: "src/pairing/window.js", find: "this.#left--;", replace: "" }],
  },
  {
    id: "no-delay",
    without: "the waiting time after failures",
    story: ["atTheDoor", "guessAtOnce"],
    edits: [{ file: "src/pairing/window.js", find: "this.#notBefore = now + delay * 1000;", replace: "" }],
  },
  {
    id: "never-insisting",
    without: "the person's word after ten failures in a row",
    story: ["atTheDoor", "guessOnAndOn"],
    edits: [responder('method.kind === "code" && !insist ? this.#window.untilInsisting : attempts', "attempts")],
  },
  {
    id: "offers-kept",
    without: "dropping the offers of an older window",
    story: ["atTheDoor", "offerKeptOverWindows"],
    edits: [
      responder("for (const session of this.#sessions.waiting())\n            this.#sessions.delete(session);", ""),
    ],
  },
  {
    id: "two-screens",
    without: "the one slot for digits",
    story: ["atTheDoor", "secondScreen"],
    edits: [door("if (busy)", "if (false)"), responder("if (holder)\n            return REASON.BUSY;", "")],
  },
  {
    id: "any-pid",
    without: "the attempt's number",
    story: ["atTheDoor", "blindOffer"],
    edits: [initiator("message && equalConstantTime(message.pid, this.#context.pid) ? message : undefined", "message")],
  },
  {
    id: "any-source-phone",
    without: "the phone's check of the sender's address",
    story: ["atTheDoor", "offerFromElsewhere"],
    edits: [initiator("!sameAddress(from, this.#context.to)", "false")],
  },
  {
    id: "any-source-pc",
    without: "the PC's check of the sender's address",
    story: ["atTheDoor", "nonceFromElsewhere"],
    edits: [responder("!sameAddress(session.context.from, from)", "false")],
  },
  {
    id: "init-changes-state",
    without: "waiting for the first data packet",
    story: ["comingBack", "replayInit"],
    edits: [liveAtInit],
  },
  {
    id: "exchange-optional",
    without: "waiting for the ML-KEM exchange that both promised",
    story: ["comingBack", "dropTheExchange"],
    edits: [noExchange],
  },
  {
    id: "provisional-authorises",
    without: "the proof by the channel before a bond counts",
    story: ["comingBack", "useProvisionalBond"],
    edits: [
      liveAtInit,
      // Where the first session begins with a further exchange, that stands in the way as well.
      noExchange,
    ],
  },
  {
    id: "no-ratchet",
    without: "a bond secret that moves on with each connection",
    story: ["comingBack", "useCopiedBond"],
    edits: [
      {
        file: "src/device/ratchet.js",
        find: 'return hkdf(crypto, { salt: used, inputKey: exporter, info: utf8("hf1 bond next"), length: 32 });',
        replace: "return used;",
      },
    ],
  },
  {
    id: "old-bond-deleted",
    without: "keeping the old bond until the new one is confirmed",
    story: ["comingBack", "breakRepairing"],
    edits: [
      {
        file: "src/device/pairingHost.js",
        find: "await store.put(bondFrom(peer, clock.wall()));",
        replace:
          "for (const { id } of store.bonds()) await store.drop(id); await store.put(bondFrom(peer, clock.wall()));",
      },
    ],
  },
  {
    id: "rekey-without-memory",
    without: "the old epoch's exporter in the new keys",
    story: ["newKeys", "rekeyWithoutMemory"],
    edits: [rekey("inputKey: this.#exporter, info", "inputKey: this.#lock, info")],
  },
  {
    id: "rekey-without-dh",
    without: "Diffie-Hellman in the change of keys",
    story: ["newKeys", "rekeyWithoutStatic"],
    edits: [
      rekey(
        "new NoiseInitiator({ crypto,",
        "new NoiseInitiator({ crypto: { ...crypto, x25519: () => new Uint8Array(32).fill(1) },",
      ),
      rekey(
        "new NoiseResponder({ crypto,",
        "new NoiseResponder({ crypto: { ...crypto, x25519: () => new Uint8Array(32).fill(1) },",
      ),
    ],
  },
];

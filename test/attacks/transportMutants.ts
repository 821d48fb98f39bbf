import type { Edit } from "./mutants.js";
import type * as peer from "./stories/hostilePeer.js";
import type * as wire from "./stories/onTheWire.js";
import type * as keys from "./stories/stolenKeys.js";
import type { Twin } from "./twins.js";

/** A check of the channel, taken out. */
interface TransportTwin extends Twin {
  readonly story:
    | readonly ["onTheWire", keyof typeof wire]
    | readonly ["hostilePeer", keyof typeof peer]
    | readonly ["stolenKeys", keyof typeof keys];
}

const edit =
  (file: string) =>
  (find: string, replace: string): Edit => ({ file: `transport/${file}.js`, find, replace });
const acceptor = edit("acceptor");
const connectionFrames = edit("connectionFrames");
const datagramQueue = edit("datagramQueue");
const dial = edit("dial");
const endpoint = edit("endpoint");
const handshake = edit("handshakePackets");
const lifecycle = edit("lifecycle");
const packet = edit("packet");
const paths = edit("pathValidation");
const receiveSide = edit("receiveSide");
const usedNumbers = edit("usedNumbers");
const rekey = edit("rekey");
const rekeyHandshake = edit("rekeyHandshake");
const spareCids = edit("spareCids");

const anyAmount = paths("const AMPLIFICATION = 3;", "const AMPLIFICATION = Number.POSITIVE_INFINITY;");

export const doorTwins: readonly TransportTwin[] = [
  {
    id: "no-cookie-check",
    without: "the check of mac2",
    story: ["onTheWire", "inventedCookie"],
    edits: [acceptor("hasMac2(datagram) && this.#proved(datagram, from, now)", "hasMac2(datagram)")],
  },
  {
    id: "cookie-any-host",
    without: "the address in the cookie",
    story: ["onTheWire", "cookieElsewhere"],
    edits: [edit("cookieJar")("from.host} ", "0} ")],
  },
  {
    id: "cookie-any-port",
    without: "the port in the cookie",
    story: ["onTheWire", "cookieAtAnotherPort"],
    edits: [edit("cookieJar")("from.port}", "0}")],
  },
  {
    id: "cookie-for-ever",
    without: "the change of the cookies' secret",
    story: ["onTheWire", "cookieOfYesterday"],
    edits: [edit("cookieJar")("if (age < ROTATE_MS)", "if (true)")],
  },
  {
    id: "no-load-limit",
    without: "cookies under load",
    story: ["onTheWire", "floodFromEverywhere"],
    edits: [acceptor("(loaded && !proved) || ", "")],
  },
  {
    id: "no-source-bucket",
    without: "the limit for each source",
    story: ["onTheWire", "floodFromOneHost"],
    edits: [acceptor(" || !sources.take(sourceKey(from.host), now)", "")],
  },
  {
    id: "no-bond-bucket",
    without: "the limit for each bond",
    story: ["onTheWire", "floodOneBond"],
    edits: [acceptor("if (!within)", "if (false)")],
  },
  {
    id: "no-duplicate-cache",
    without: "the cache of Responses",
    story: ["onTheWire", "repeatInit"],
    edits: [acceptor("if (cached)", "if (false)")],
  },
  {
    id: "half-open-unbounded",
    without: "the limit of half-open connections",
    story: ["onTheWire", "crowdHalfOpen"],
    edits: [lifecycle("crowded || this.#entries.halfOpen >= HALF_OPEN_ALL", "false")],
  },
  {
    id: "half-open-of-all",
    without: "the limit of half-open connections of all devices",
    story: ["onTheWire", "crowdOfDevices"],
    weakened: [lifecycle("const HALF_OPEN_ALL = 1024;", "const HALF_OPEN_ALL = 8;")],
    edits: [lifecycle(" || this.#entries.halfOpen >= HALF_OPEN_ALL", "")],
  },
  {
    id: "replaced-at-init",
    without: "the client's first packet before it replaces its older connection",
    story: ["onTheWire", "replayToReplace"],
    edits: [
      endpoint(
        "openConnection(this.#surroundings, answeredHandshake(accepted, path), now);",
        "this.#lifecycle.confirm(openConnection(this.#surroundings, answeredHandshake(accepted, path), now), now);",
      ),
    ],
  },
  {
    id: "short-init",
    without: "the size of an Init",
    story: ["onTheWire", "shortInit"],
    edits: [
      handshake("datagram.length !== HANDSHAKE_SIZE || ", ""),
      handshake("const end = HANDSHAKE_SIZE - 2 * MAC", "const end = datagram.length - 2 * MAC"),
    ],
  },
  {
    id: "unconfirmed-sends",
    without: "the client's first packet before the server's",
    story: ["onTheWire", "talkToVictim"],
    edits: [edit("connection")('this.#confirmed = options.role === "initiator"', "this.#confirmed = true")],
  },
  {
    id: "scid-unchecked",
    without: "the connection IDs under encryption",
    story: ["onTheWire", "editScid"],
    edits: [dial("!equalConstantTime(peer.handshakeScid, remoteCid)", "false")],
  },
  {
    id: "version-unchecked",
    without: "the version of a Response",
    story: ["onTheWire", "editVersion"],
    edits: [handshake("datagram.length < RESPONSE_HEADER || new ByteReader(datagram, 1).u32() !== VERSION", "false")],
  },
  {
    id: "header-unbound",
    without: "the Init's header in the prologue",
    story: ["onTheWire", "downgradeInit"],
    weakened: [
      handshake("datagram.length !== HANDSHAKE_SIZE || new ByteReader(datagram, 1).u32() !== VERSION", "false"),
    ],
    edits: [handshake("concat(PROLOGUE, header)", "PROLOGUE")],
  },
  {
    id: "zero-psk-believed",
    without: "the one word that counts under the zero psk",
    story: ["onTheWire", "answerWithoutBond"],
    edits: [dial("if (read.psk === ZERO_PSK)", "if (false)")],
  },
  {
    id: "any-token",
    without: "the comparison of reset tokens",
    story: ["onTheWire", "guessReset"],
    edits: [edit("statelessReset")("equalConstantTime(datagram.subarray(datagram.length - TOKEN), token)", "true")],
  },
  {
    id: "short-trigger",
    without: "silence towards datagrams below 44 bytes",
    story: ["onTheWire", "resetLoop"],
    edits: [edit("statelessReset")("if (triggerLength < MIN_TRIGGER)", "if (false)")],
  },
  {
    id: "resets-unbounded",
    without: "the limit of resets",
    story: ["onTheWire", "resetFlood"],
    edits: [edit("statelessReset")("!this.#hosts.take(sourceKey(from.host), now)", "false")],
  },
  {
    id: "no-replay-window",
    without: "the window of packet numbers",
    story: ["onTheWire", "replayPacket"],
    edits: [packet("!this.#window.check(packetNumber)", "false")],
  },
];

export const peerTwins: readonly TransportTwin[] = [
  {
    id: "no-skipped-numbers",
    without: "the numbers that were left out",
    story: ["hostilePeer", "ackBlindly"],
    edits: [usedNumbers("coversAny(ranges, this.#skipped)", "false")],
  },
  {
    id: "acks-of-the-future",
    without: "the refusal of ACKs for what was never sent",
    story: ["hostilePeer", "ackTheFuture"],
    edits: [usedNumbers("largest > this.#largest ", "false ")],
  },
  {
    id: "stream-window",
    without: "the stream's window",
    story: ["hostilePeer", "passStreamWindow"],
    edits: [receiveSide("this.window.onReceived(end)", "0")],
  },
  {
    id: "reset-window",
    without: "the stream's window for a reset",
    story: ["hostilePeer", "resetPastWindow"],
    edits: [receiveSide("this.window.onReceived(finalSize)", "0")],
  },
  {
    id: "connection-window",
    without: "the connection's window",
    story: ["hostilePeer", "passConnectionWindow"],
    edits: [connectionFrames("this.#parts.receiveWindow.onReceived(", "void (")],
  },
  {
    id: "final-size",
    without: "one end for each stream",
    story: ["hostilePeer", "moveTheEnd"],
    edits: [receiveSide("throw new TransportError(TRANSPORT_ERROR.FINAL_SIZE_ERROR, ", "return void (")],
  },
  {
    id: "stream-limit",
    without: "the limit of streams",
    story: ["hostilePeer", "openTooMany"],
    edits: [edit("streamTable")("if (index >= kind.granted)", "if (false)")],
  },
  {
    id: "unaccepted-streams",
    without: "the limit of streams that nobody has taken",
    story: ["hostilePeer", "openAndReset"],
    edits: [edit("sessionStreams")("this.incoming.size < MAX_UNACCEPTED", "true")],
  },
  {
    id: "endless-pieces",
    without: "the limit of pieces",
    story: ["hostilePeer", "everySecondByte"],
    edits: [edit("reassembly")("this.#runs.length === MAX_RUNS", "false")],
  },
  {
    id: "crypto-buffer",
    without: "the limit of key material",
    story: ["hostilePeer", "keyMaterialFarAhead"],
    edits: [edit("cryptoStream")("offset + data.length - this.#received.consumed > MAX_BUFFER", "false")],
  },
  {
    id: "endless-ids",
    without: "the limit of the peer's connection IDs",
    story: ["hostilePeer", "giveTooManyIds"],
    edits: [spareCids("this.#spare.length >= ACTIVE_CIDS || ", "")],
  },
  {
    id: "ids-unseen",
    without: "the refusal to retire what was never given",
    story: ["hostilePeer", "retireUnseenIds"],
    edits: [spareCids("if (sequence > this.#told)", "if (sequence >= this.#issued)")],
  },
  {
    id: "datagram-size",
    without: "the largest datagram",
    story: ["hostilePeer", "tooLargeDatagram"],
    edits: [connectionFrames("data.length > this.#options.local.maxDatagram", "false")],
  },
  {
    id: "datagram-bytes",
    without: "the bytes that wait unread",
    story: ["hostilePeer", "fillDatagrams"],
    edits: [datagramQueue("this.#bytes > MAX_BYTES", "false")],
  },
  {
    id: "datagram-count",
    without: "the number of datagrams that wait unread",
    story: ["hostilePeer", "emptyDatagrams"],
    edits: [datagramQueue("this.#queue.length > MAX_COUNT", "false")],
  },
  {
    id: "goodbyes-unbounded",
    without: "ever rarer goodbyes",
    story: ["hostilePeer", "goodbyes"],
    edits: [edit("closing")("(this.#heard & (this.#heard - 1)) === 0", "true")],
  },
  {
    id: "challenge-unbounded",
    without: "the three times of what came",
    story: ["hostilePeer", "challengeVictim"],
    edits: [anyAmount],
  },
  {
    id: "response-unbounded",
    without: "the three times of what came, for answers",
    story: ["hostilePeer", "answerVictim"],
    edits: [anyAmount],
  },
  {
    id: "many-challenges",
    without: "one answer for each packet",
    story: ["hostilePeer", "askManyTimes"],
    edits: [connectionFrames("this.#challenged || ", "")],
  },
  {
    id: "any-response",
    without: "the comparison of challenge and answer",
    story: ["hostilePeer", "moveToVictim"],
    edits: [paths("equalConstantTime(one.token, token)", "true")],
  },
  {
    id: "response-from-anywhere",
    without: "the address of the answer",
    story: ["hostilePeer", "passOnChallenge"],
    edits: [paths(" || !sameAddress(probe.address, from)", "")],
  },
  {
    id: "endless-addresses",
    without: "the limit of addresses that are asked",
    story: ["hostilePeer", "shoutFromEverywhere"],
    edits: [paths("this.#probes.length > MAX_PROBES", "false")],
  },
];

export const keyTwins: readonly TransportTwin[] = [
  {
    id: "old-epoch-new-number",
    without: "the order of epochs",
    story: ["stolenKeys", "oldKeysGoOn"],
    edits: [packet("if (newer && number > newer.lowest)", "if (false)")],
  },
  {
    id: "old-epoch-kept",
    without: "the end of old keys",
    story: ["stolenKeys", "oldKeysForEver"],
    edits: [packet("erase(this.#previous);\n        this.#previous = undefined;", "")],
  },
  {
    id: "numbers-wrap",
    without: "the last packet number",
    story: ["stolenKeys", "wrapNumbers"],
    edits: [packet("if (packetNumber >= MAX_NUMBER)", "if (false)")],
  },
  {
    id: "rekey-any-static",
    without: "the static key in a rekey",
    story: ["stolenKeys", "rekeyAsSomebodyElse"],
    edits: [rekeyHandshake("!equalConstantTime(claimed, peerStatic)", "false")],
  },
  {
    id: "rekey-without-bond",
    without: "the bond's secret in a rekey",
    story: ["stolenKeys", "rekeyWithoutBond"],
    edits: [rekeyHandshake("salt: this.#lock", "salt: EMPTY")],
  },
  {
    id: "renewals-unbounded",
    without: "the limit of renewals that a client asks for",
    story: ["stolenKeys", "renewOnAndOn"],
    edits: [rekey("if (this.#now < this.#renewals.from)\n            this.#early = message;", "if (false);")],
  },
  {
    id: "requests-unbounded",
    without: "the limit of renewals that a server asks for",
    story: ["stolenKeys", "requestOnAndOn"],
    edits: [rekey("if (this.#now < this.#renewals.from)\n            return;", "")],
  },
  {
    id: "soft-hard-limit",
    without: "the hard limit of an epoch",
    story: ["stolenKeys", "suppressRekey"],
    edits: [rekey("if (this.#use.hardReached(now))", "if (false)")],
  },
  {
    id: "forgeries-unbounded",
    without: "the last limit of forgeries",
    story: ["stolenKeys", "forgeOnAndOn"],
    edits: [rekey("if (this.#use.forgeriesExhausted)", "if (false)")],
  },
  {
    id: "one-id-for-ever",
    without: "another connection ID after many forgeries",
    story: ["stolenKeys", "forgeToOneId"],
    edits: [edit("packetReceiver")("this.#parts.cids.renew();", "")],
  },
];

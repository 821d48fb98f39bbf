import { toHex } from "#kernel/bytes.js";
import type { Instant } from "#kernel/ports.js";
import { Connection } from "./connection.js";
import { cidKey } from "./connectionId.js";
import type { ConnectionLog } from "./connectionLog.js";
import type { ConnectionTable, Entry } from "./connectionTable.js";
import { DEFAULT_CONTROLLER } from "./controllers.js";
import type { DatagramPool } from "./datagramPool.js";
import type { EndpointMemory } from "./endpointMemory.js";
import type { EndpointOptions } from "./endpointTypes.js";
import { HANDSHAKE_SIZE } from "./handshakePackets.js";
import type { Keyed } from "./keyed.js";
import { trafficKeys } from "./keys.js";
import { DEFAULT_MAX_DATAGRAM } from "./mtu.js";
import type { NoiseResult } from "./noiseState.js";
import { PacketProtection } from "./packet.js";
import { limitsOf } from "./params.js";
import { Rekey } from "./rekey.js";
import { REKEY_LIMITS } from "./rekeyLimits.js";
import { SpareCids } from "./spareCids.js";
import { resetToken } from "./statelessReset.js";

/** What a new connection shares with the others of its endpoint. */
export interface Surroundings {
  readonly options: EndpointOptions;
  readonly pool: DatagramPool;
  readonly memory: EndpointMemory;
  readonly entries: ConnectionTable;
  readonly newCid: () => Uint8Array;
}

/** Keys, packets, rekeying and connection IDs of one connection, put together and entered into the table. */
export function openConnection(surroundings: Surroundings, keyed: Keyed, now: Instant): Entry {
  const { options, pool, memory, entries } = surroundings;
  const { random, keepAlive = false, maxDatagram, congestion, padTo } = options;
  const { role, noise, local, peer, path, peerStatic, psk, copied, peerId, localCid } = keyed;
  const exporter = noise.exporter.slice();
  const protection = protect(surroundings, keyed);
  // Every property by name: V8 gives each object that was spread together a shape of its own, 400 bytes a piece.
  const log = keyed.log ?? logAnswer(surroundings, keyed, now);
  const rekey = rekeying(surroundings, keyed, protection, log, now);
  const cids = spareCids(surroundings, keyed, () => entry);
  const connection = new Connection({
    role,
    protection,
    rekey,
    local,
    peer: limitsOf(peer),
    path,
    random,
    now,
    pool,
    memory: memory.open(),
    cids,
    keepAlive: keepAlive && !copied,
    log,
    onWork: () => entries.touch(entry),
    padTo,
    congestion: congestion ?? DEFAULT_CONTROLLER,
    initialRttMs: keyed.rttMs,
    dialledAt: keyed.dialledAt,
    held: keyed.held,
    maxDatagram: maxDatagram?.(path) ?? DEFAULT_MAX_DATAGRAM,
  });
  const entry: Entry = {
    connection,
    protection,
    role,
    peerId,
    peerStatic,
    exporter,
    psk,
    copied,
    cids: new Set([cidKey(localCid)]),
    resetToken: role === "initiator" ? peer.resetToken : undefined,
    since: now,
    live: false,
    heard: false,
  };
  entries.add(entry);
  if (role === "initiator") cids.offer();
  return entry;
}

function protect({ options }: Surroundings, { role, noise, localCid, remoteCid }: Keyed): PacketProtection {
  secretsLog(options, role === "initiator" ? localCid : remoteCid)?.(0, noise);
  const keys = trafficKeys(options.crypto, role, noise);
  return new PacketProtection({ keys, remoteCid, random: options.random });
}

/** The responder's log begins with the Init that was answered. */
function logAnswer(
  { options }: Surroundings,
  { localCid: cid, remoteCid }: Keyed,
  now: Instant,
): ConnectionLog | undefined {
  const log = options.log?.({ role: "responder", cid, clientCid: remoteCid, now });
  log?.handshakeReceived("init", HANDSHAKE_SIZE, now);
  log?.handshakeSent("response", HANDSHAKE_SIZE, now);
  return log;
}

function rekeying(
  { options }: Surroundings,
  keyed: Keyed,
  protection: PacketProtection,
  log: ConnectionLog | undefined,
  now: Instant,
): Rekey {
  const { role, noise, localCid, remoteCid } = keyed;
  return new Rekey({
    crypto: options.crypto,
    random: options.random,
    role,
    own: options.identity,
    peerStatic: keyed.peerStatic,
    psk: keyed.psk,
    protection,
    now,
    log,
    handshakeHash: noise.handshakeHash,
    exporter: noise.exporter,
    onSecrets: secretsLog(options, role === "initiator" ? localCid : remoteCid),
    limits: options.rekeyLimits ?? REKEY_LIMITS,
  });
}

function secretsLog(
  { keyLog }: EndpointOptions,
  clientCid: Uint8Array,
): ((epoch: number, noise: NoiseResult) => void) | undefined {
  if (!keyLog) return undefined;
  return (epoch, { initiatorKey, responderKey }) => {
    keyLog(`HF_CLIENT_EPOCH_${epoch} ${toHex(clientCid)} ${toHex(initiatorKey)}`);
    keyLog(`HF_SERVER_EPOCH_${epoch} ${toHex(clientCid)} ${toHex(responderKey)}`);
  };
}

function spareCids({ options, entries, newCid }: Surroundings, keyed: Keyed, entry: () => Entry): SpareCids {
  const { crypto, resetKey } = options;
  return new SpareCids({
    localCid: keyed.localCid,
    remoteCid: keyed.remoteCid,
    peerLimit: keyed.peer.activeCids,
    allocate: () => {
      const cid = newCid();
      entries.addCid(entry(), cidKey(cid));
      return { cid, token: resetToken(crypto, resetKey, cid) };
    },
    release: (cid) => entries.deleteCid(entry(), cidKey(cid)),
    onRemote: ({ cid, token }) => {
      entry().protection.remoteCid = cid;
      entries.setToken(entry(), token);
    },
  });
}

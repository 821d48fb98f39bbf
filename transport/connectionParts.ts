import type { Address, Instant, RandomSource } from "#kernel/ports.js";
import { Acknowledgements } from "./acknowledgements.js";
import { Arrivals } from "./arrivals.js";
import { Blocked } from "./blocked.js";
import { Closing } from "./closing.js";
import type { CongestionController } from "./congestion.js";
import { EventQueue } from "./connectionEvents.js";
import { type ControllerName, createController, DEFAULT_CONTROLLER } from "./controllers.js";
import { CryptoStream } from "./cryptoStream.js";
import { DatagramQueue } from "./datagramQueue.js";
import { ReceiveWindow, SendCredit } from "./flowControl.js";
import type { AckFrequency } from "./frames.js";
import { IdleTimer, idleTimeout } from "./idle.js";
import type { ConnectionMemory } from "./memory.js";
import { BASE_DATAGRAM, PathMtu } from "./mtu.js";
import { Pacer } from "./pacer.js";
import type { TransportParameters } from "./params.js";
import { PathValidation } from "./pathValidation.js";
import { Recovery } from "./recovery.js";
import { RttEstimator } from "./rtt.js";
import { SendQueue } from "./sendQueue.js";
import type { SpareCids } from "./spareCids.js";
import type { Stream } from "./stream.js";
import { StreamTable } from "./streamTable.js";

/**
 * Windows grow up to these; they start as the parameters say. While a lost packet is awaited the reader gets nothing and gives no
 * credit back: two round trips and more, which half as much ended in silence at 60 MB/s and 20 ms.
 */
const MAX_STREAM_WINDOW = 8 * 1024 * 1024;
const MAX_CONNECTION_WINDOW = 16 * 1024 * 1024;

/** What one connection is made of. Each part knows nothing of the others; `Connection` and `PacketWriter` join them. */
export interface ConnectionParts {
  readonly rtt: RttEstimator;
  congestion: CongestionController;
  readonly pacer: Pacer;
  readonly recovery: Recovery;
  readonly acks: Acknowledgements;
  readonly arrivals: Arrivals;
  readonly streams: StreamTable;
  readonly sendQueue: SendQueue;
  readonly sendCredit: SendCredit;
  readonly receiveWindow: ReceiveWindow;
  readonly datagramsOut: DatagramQueue;
  readonly datagramsIn: DatagramQueue;
  readonly memory: ConnectionMemory;
  readonly events: EventQueue;
  readonly crypto: CryptoStream;
  readonly path: PathValidation;
  readonly cids: SpareCids;
  readonly closing: Closing;
  readonly idle: IdleTimer;
  /** Small things to say in the next packet. */
  readonly due: {
    ping: boolean;
    maxData: boolean;
    blocked: boolean;
    rekeyRequest: number | undefined;
    ackFrequency: AckFrequency | undefined;
    pathResponses: PathResponse[];
  };
  readonly blocked: Blocked;
  mtu: PathMtu;
}

export interface PathResponse {
  readonly token: Uint8Array;
  readonly to: Address;
  /** Size of the datagram that asked. */
  readonly received: number;
}

/** What the parts of a connection have to know of it. */
export interface PartsOptions {
  readonly role: "initiator" | "responder";
  readonly local: TransportParameters;
  readonly peer: TransportParameters;
  readonly path: Address;
  readonly random: RandomSource;
  readonly cids: SpareCids;
  /** Its accounts in what all connections of the endpoint may hold. */
  readonly memory: ConnectionMemory;
  readonly congestion?: ControllerName | undefined;
  readonly initialRttMs?: number | undefined;
  readonly now: Instant;
}

/** `maxDatagram`: the largest that interface and peer allow; packets start smaller. `onStreamChange`: somebody wrote to, read from or ended a stream. */
export function createParts(
  options: PartsOptions,
  maxDatagram: number,
  onStreamChange: (stream: Stream) => void,
): ConnectionParts {
  const { local, peer, memory } = options;
  const rtt = new RttEstimator(options.initialRttMs);
  const congestion = createController(options.congestion ?? DEFAULT_CONTROLLER, BASE_DATAGRAM);
  const streams = new StreamTable(
    options.role === "initiator",
    {
      localStreamWindow: local.maxStreamDataBidiLocal,
      maxStreamWindow: MAX_STREAM_WINDOW,
      localMaxStreams: { bidi: local.maxStreamsBidi, uni: local.maxStreamsUni },
      peerMaxStreams: { bidi: peer.maxStreamsBidi, uni: peer.maxStreamsUni },
      // RFC 9000 §18.2: "local" and "remote" are meant from the side that sent the parameter.
      peerStreamWindow: {
        theirs: peer.maxStreamDataBidiLocal,
        ours: peer.maxStreamDataBidiRemote,
        uni: peer.maxStreamDataUni,
      },
    },
    memory,
    onStreamChange,
  );
  // Apart, and its list apart again: V8 copies an object literal that holds another one in its runtime, property by property.
  const pathResponses: PathResponse[] = [];
  const due = {
    ping: false,
    maxData: false,
    blocked: false,
    rekeyRequest: undefined,
    ackFrequency: undefined,
    pathResponses,
  };
  const acks = new Acknowledgements(local.maxAckDelayMs);
  const path = new PathValidation(options.path, options.random);
  return {
    rtt,
    congestion,
    pacer: new Pacer(BASE_DATAGRAM),
    recovery: new Recovery(rtt, congestion, peer.maxAckDelayMs),
    acks,
    arrivals: new Arrivals(acks, path, rtt, options.role === "responder"),
    streams,
    sendQueue: new SendQueue(),
    sendCredit: new SendCredit(peer.maxData),
    receiveWindow: new ReceiveWindow(local.maxData, MAX_CONNECTION_WINDOW, memory.receiving.pool),
    datagramsOut: new DatagramQueue(memory.sending),
    datagramsIn: new DatagramQueue(memory.receiving),
    memory,
    events: new EventQueue(),
    crypto: new CryptoStream(),
    path,
    cids: options.cids,
    closing: new Closing(),
    idle: new IdleTimer(idleTimeout(local.idleMs, peer.idleMs), options.now),
    due,
    blocked: new Blocked(),
    mtu: new PathMtu(maxDatagram),
  };
}

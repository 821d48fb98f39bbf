export { createClient, NodeClient } from "#device/nodeClient.node.js";
export { createServer, NodeServer, type NodeServerEvents } from "#device/nodeServer.node.js";
export { NodeSession, type NodeSessionEvents, type Peer } from "#device/nodeSession.node.js";
export type { OpenOptions } from "#device/open.node.js";
export { makeRoomForDatagrams } from "#transport/datagramHeap.node.js";
export { StreamDuplex } from "#transport/duplex.node.js";
export { LogUnwritableError } from "#transport/logUnwritable.node.js";
export { PortUnavailableError } from "#transport/udp.node.js";
export * from "./index.js";

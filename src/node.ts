export { createClient, createServer, type OpenOptions } from "#device/open.node.js";
export { StreamDuplex } from "#transport/duplex.node.js";
export { PortUnavailableError } from "#transport/udp.node.js";
export * from "./index.js";

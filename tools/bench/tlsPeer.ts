import { once } from "node:events";
import { connect, createServer } from "node:tls";
import type { Peer, Work } from "./peer.js";
import { overTcp } from "./tcpPeer.js";

/** Node's TLS 1.3 over TCP, as an application would use it. Key and certificate come in the settings. */
export const tlsPeer: Peer = overTcp({
  listen(work, onSocket) {
    const { key, cert } = credentials(work);
    return createServer({ key, cert, minVersion: "TLSv1.3", noDelay: true }, onSocket);
  },
  async open(work) {
    const { cert } = credentials(work);
    const { host, port } = work;
    const socket = connect({ host, port, ca: cert, minVersion: "TLSv1.3", checkServerIdentity: () => undefined });
    socket.setNoDelay(true);
    await once(socket, "secureConnect");
    return socket;
  },
});

function credentials(work: Work): { key: string; cert: string } {
  return { key: String(work.settings["key"]), cert: String(work.settings["cert"]) };
}

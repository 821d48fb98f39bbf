import { peerTwins } from "./transportMutants.js";
import { testTwins } from "./twins.js";

// transport/PROTOCOL.md §5 to §10: devices that are bonded and hostile (hostilePeer).
testTwins(peerTwins);

import { doorTwins } from "./transportMutants.js";
import { testTwins } from "./twins.js";

// transport/PROTOCOL.md §1, §2, §9: strangers (onTheWire). mac1 and the tag have their twins in test/transport/hostile.test.ts,
// the session that only a confirmed one replaces in pairingMutants.ts.
testTwins(doorTwins);

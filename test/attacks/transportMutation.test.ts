import { transportTwins } from "./transportMutants.js";
import { testTwins } from "./twins.js";

// Every check of the channel that security rests on (RFC 9000 §21, transport/PROTOCOL.md §2, §4, §8 to §10). Beside them:
// mac1 and the tag in test/transport/hostile.test.ts, the rekey's locks and the replaced session in pairingMutants.ts.
testTwins(transportTwins);

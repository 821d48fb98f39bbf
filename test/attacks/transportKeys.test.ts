import { keyTwins } from "./transportMutants.js";
import { testTwins } from "./twins.js";

// transport/PROTOCOL.md §4: keys that were stolen, or are used for too long (stolenKeys). See also newKeys in pairingMutants.ts.
testTwins(keyTwins);

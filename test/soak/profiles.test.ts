import { measureInto } from "../support/resultTable.js";
import { RIDES } from "../support/rides.js";

measureInto("networks", RIDES);

import { INTEROP } from "../support/interop/cases.js";
import { measureInto } from "../support/resultTable.js";

measureInto("results", INTEROP);

import { RANDOM_LINKS } from "../support/randomLinks.js";
import { measureInto } from "../support/resultTable.js";

measureInto("links", RANDOM_LINKS);

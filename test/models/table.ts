/** Where the table of the models is kept: between these marks, written by tools/modelTable.ts. */
export const TABLE_FILE = "src/pairing/PROTOCOL.md";
export const TABLE_BEGIN = "<!-- models: begin -->";
export const TABLE_END = "<!-- models: end -->";

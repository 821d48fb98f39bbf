import process from "node:process";
import type { OpenOptions } from "#device/open.node.js";

/** QLOGDIR, as other QUIC programs have it, and HANDFAST_KEYLOG: for looking inside a connection. */
export function inside(): Pick<OpenOptions, "qlogDir" | "keyLogFile"> {
  const { QLOGDIR, HANDFAST_KEYLOG } = process.env;
  return { ...(QLOGDIR && { qlogDir: QLOGDIR }), ...(HANDFAST_KEYLOG && { keyLogFile: HANDFAST_KEYLOG }) };
}

import { hostname } from "node:os";
import { toDeviceName } from "#pairing/deviceName.js";

/** What this device is called when nobody has said otherwise. */
export function defaultDeviceName(): string {
  return toDeviceName(hostname(), "Handfast device");
}

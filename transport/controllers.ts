import { Bbr } from "./bbr.js";
import type { CongestionController } from "./congestion.js";
import { Cubic } from "./cubic.js";
import { NewReno } from "./newReno.js";

export type ControllerName = "bbr" | "cubic" | "newreno";

/** PROTOCOL.md §6.3 says by which measurements. */
export const DEFAULT_CONTROLLER: ControllerName = "bbr";

export function createController(name: ControllerName, maxDatagram: number): CongestionController {
  switch (name) {
    case "bbr":
      return new Bbr(maxDatagram);
    case "cubic":
      return new Cubic(maxDatagram);
    case "newreno":
      return new NewReno(maxDatagram);
  }
}

import { addressText } from "#device/target.js";
import { HandfastError } from "#kernel/errors.js";
import { UsageError } from "./exitCodes.js";
import { ago, printable } from "./words.js";

/** One bonded device as commands show it. */
export interface DeviceLine {
  /** The device's id, 16 hex digits. */
  readonly device: string;
  readonly name: string;
  readonly platform: string;
  readonly online: boolean;
  /** ISO 8601. */
  readonly paired: string;
  readonly lastSeen: string;
  readonly address: string | null;
}

/** What of a bond may be shown. */
interface ShownBond {
  readonly name: string;
  readonly platform: string;
  readonly createdAt: number;
  readonly lastSeenAt: number;
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
}

export function deviceLine(device: string, bond: ShownBond, online: boolean): DeviceLine {
  const { name, platform, createdAt, lastSeenAt, addresses } = bond;
  const [first] = addresses;
  return {
    ...{ device, name, platform, online },
    paired: new Date(createdAt).toISOString(),
    lastSeen: new Date(lastSeenAt).toISOString(),
    address: first ? addressText(first) : null,
  };
}

export function deviceText(line: DeviceLine, now: number): string {
  const seen = line.online ? "online" : `seen ${ago(now - Date.parse(line.lastSeen))}`;
  return `${line.device}  ${printable(line.name)}  (${printable(line.platform)}, ${seen})`;
}

/** The device that a person means by its name, its id, or the beginning of its id. */
export function chooseDevice<Line extends Pick<DeviceLine, "device" | "name">>(
  lines: readonly Line[],
  wish: string,
): Line {
  const low = wish.toLowerCase();
  const exact = lines.filter(({ device, name }) => device === low || name.toLowerCase() === low);
  const found = exact.length > 0 ? exact : lines.filter(({ device }) => low.length >= 4 && device.startsWith(low));
  const [one, ...others] = found;
  const list = lines.map(({ device, name }) => `${device} "${printable(name)}"`).join(", ");
  if (!one)
    throw new HandfastError(
      "NOT_PAIRED",
      lines.length === 0
        ? "No device is paired with this one."
        : `No paired device is called "${printable(wish)}". There are: ${list}.`,
    );
  if (others.length > 0) throw new UsageError(`Several devices are called so. Say which by its id: ${list}.`);
  return one;
}

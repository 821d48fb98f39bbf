import { type CborValue, decodeCbor, encodeCbor } from "#kernel/cbor.js";
import { unlessMalformed } from "#kernel/errors.js";
import type { RandomSource } from "#kernel/ports.js";
import { isDeviceName, isPlainText } from "./deviceName.js";
import type { PairingIdentity } from "./exchange.js";
import type { Model } from "./models.js";

/** Version of the pairing protocol. */
export const PAIRING_VERSION = 1;
/** What a device says about itself before anything is secret: PROTOCOL.md §2. */
export interface Features {
  readonly versions: readonly number[];
  /** Association models, bits: the one that a person chose. */
  readonly models: number;
  readonly io: number;
  readonly name: string;
  readonly platform: string;
  readonly appId: string;
  readonly grease: Uint8Array;
  /** What the device can do with a bond, bits. */
  readonly upgrades: number;
  /** Only the responder's: what it chose. */
  readonly chosen?: { readonly version: number; readonly model: number };
}

const KEY = {
  ...{ versions: 0, models: 1, io: 2, name: 3, platform: 4, appId: 5, grease: 6, upgrades: 7 },
  ...{ version: 8, model: 9 },
} as const;
const MAX_VERSIONS = 8;
const MAX_GREASE = 16;
/** What a bond can keep (src/bonds/PROTOCOL.md §2). */
const MAX_PLATFORM_BYTES = 32;
const MAX_APP_ID_BYTES = 64;

export function encodeFeatures(features: Features): Uint8Array {
  const map = new Map<number, CborValue>([
    [KEY.versions, [...features.versions]],
    [KEY.models, features.models],
    [KEY.io, features.io],
    [KEY.name, features.name],
    [KEY.platform, features.platform],
    [KEY.appId, features.appId],
    [KEY.grease, features.grease],
    [KEY.upgrades, features.upgrades],
  ]);
  if (features.chosen) map.set(KEY.version, features.chosen.version).set(KEY.model, features.chosen.model);
  return encodeCbor(map);
}

/** Throws RangeError for an identity that the other side would refuse: found at the start, not in the middle of a pairing. */
export function requireOwnFeatures(identity: PairingIdentity): void {
  ownFeatures(identity, (length) => new Uint8Array(length), { model: 1, io: 0, chosen: true });
}

/** What this device says about itself in one attempt. Throws RangeError when the other side would refuse it. */
export function ownFeatures(
  identity: PairingIdentity,
  random: RandomSource,
  way: { readonly model: Model; readonly io: number; readonly chosen?: true },
): Uint8Array {
  const { name, platform, appId, upgrades = 0 } = identity;
  const bytes = encodeFeatures({
    ...{ versions: [PAIRING_VERSION], models: way.model, io: way.io, name, platform, appId, upgrades },
    grease: random(1 + ((random(1)[0] ?? 0) % MAX_GREASE)),
    ...(way.chosen && { chosen: { version: PAIRING_VERSION, model: way.model } }),
  });
  if (!decodeFeatures(bytes, way.chosen === true))
    throw new RangeError("pairing: a device's name, platform or application id is too long or cannot be shown");
  return bytes;
}

/** As decodeFeatures, for bytes of a peer: undefined also for what is not our CBOR. */
export function featuresOf(bytes: Uint8Array, withChoice: boolean): Features | undefined {
  return unlessMalformed(() => decodeFeatures(bytes, withChoice));
}

/** Exactly the known keys with sane values, or undefined. Throws WireError for what is not our CBOR. */
export function decodeFeatures(bytes: Uint8Array, withChoice: boolean): Features | undefined {
  const map = decodeCbor(bytes);
  if (!(map instanceof Map) || map.size !== (withChoice ? 10 : 8)) return undefined;
  const versions: unknown = map.get(KEY.versions);
  const grease: unknown = map.get(KEY.grease);
  const [models, io, upgrades] = [KEY.models, KEY.io, KEY.upgrades].map((key) => small(map.get(key)));
  const [version, model] = [KEY.version, KEY.model].map((key) => small(map.get(key)));
  const name = text(map.get(KEY.name), 64);
  const platform = text(map.get(KEY.platform), MAX_PLATFORM_BYTES);
  const appId = text(map.get(KEY.appId), MAX_APP_ID_BYTES);
  if (!Array.isArray(versions) || versions.length === 0 || versions.length > MAX_VERSIONS) return undefined;
  if (!versions.every((each) => small(each) !== undefined)) return undefined;
  if (!(grease instanceof Uint8Array) || grease.length > MAX_GREASE) return undefined;
  if (models === undefined || io === undefined || upgrades === undefined) return undefined;
  if (appId === undefined || platform === undefined) return undefined;
  if (name === undefined || !isDeviceName(name)) return undefined;
  const features = { versions, models, io, name, platform, appId, grease, upgrades };
  if (!withChoice) return features;
  return version === undefined || model === undefined ? undefined : { ...features, chosen: { version, model } };
}

function small(value: unknown): number | undefined {
  return typeof value === "number" && value >= 0 && value <= 0xffff ? value : undefined;
}

function text(value: unknown, maxBytes: number): string | undefined {
  return typeof value === "string" && isPlainText(value, maxBytes) ? value : undefined;
}

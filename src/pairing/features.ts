import { type CborValue, decodeCbor, encodeCbor } from "#kernel/cbor.js";
import { isDeviceName, isPlainText } from "./deviceName.js";

/** Version of the pairing protocol. */
export const PAIRING_VERSION = 1;
/** Association models, a bit set. Passkey entry (2) and out of band (4) are reserved. */
export const MODEL_NUMERIC = 1;
/** The IO capability "display and yes/no": what numeric comparison needs on both sides. */
export const IO_DISPLAY_YES_NO = 1;

/** What a device says about itself before anything is secret: PROTOCOL.md §2. */
export interface Features {
  readonly versions: readonly number[];
  readonly models: number;
  readonly io: number;
  readonly name: string;
  readonly platform: string;
  readonly appId: string;
  readonly grease: Uint8Array;
  /** Only the responder's: what it chose. */
  readonly chosen?: { readonly version: number; readonly model: number };
}

const KEY = { versions: 0, models: 1, io: 2, name: 3, platform: 4, appId: 5, grease: 6, version: 7, model: 8 } as const;
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
  ]);
  if (features.chosen) map.set(KEY.version, features.chosen.version).set(KEY.model, features.chosen.model);
  return encodeCbor(map);
}

/** Exactly the known keys with sane values, or undefined. Throws WireError for what is not our CBOR. */
export function decodeFeatures(bytes: Uint8Array, withChoice: boolean): Features | undefined {
  const map = decodeCbor(bytes);
  if (!(map instanceof Map) || map.size !== (withChoice ? 9 : 7)) return undefined;
  const versions: unknown = map.get(KEY.versions);
  const grease: unknown = map.get(KEY.grease);
  const [models, io, version, model] = [KEY.models, KEY.io, KEY.version, KEY.model].map((key) => small(map.get(key)));
  const name = text(map.get(KEY.name), 64);
  const platform = text(map.get(KEY.platform), MAX_PLATFORM_BYTES);
  const appId = text(map.get(KEY.appId), MAX_APP_ID_BYTES);
  if (!Array.isArray(versions) || versions.length === 0 || versions.length > MAX_VERSIONS) return undefined;
  if (!versions.every((each) => small(each) !== undefined)) return undefined;
  if (!(grease instanceof Uint8Array) || grease.length > MAX_GREASE) return undefined;
  if (models === undefined || io === undefined || appId === undefined || platform === undefined) return undefined;
  if (name === undefined || !isDeviceName(name)) return undefined;
  const features = { versions, models, io, name, platform, appId, grease };
  if (!withChoice) return features;
  return version === undefined || model === undefined ? undefined : { ...features, chosen: { version, model } };
}

function small(value: unknown): number | undefined {
  return typeof value === "number" && value >= 0 && value <= 0xffff ? value : undefined;
}

function text(value: unknown, maxBytes: number): string | undefined {
  return typeof value === "string" && isPlainText(value, maxBytes) ? value : undefined;
}

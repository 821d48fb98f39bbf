import type { Crypto } from "#crypto/crypto.js";
import { equalConstantTime } from "#kernel/bytes.js";
import { type Features, featuresOf, PAIRING_VERSION } from "./features.js";
import type { Invitation } from "./invitation.js";
import type { MessageOf } from "./messages.js";
import { traitsOf } from "./models.js";
import { hintOf } from "./outOfBand.js";
import { REASON } from "./reasons.js";

/** What START must say to be let in, apart from its key: the same way as this screen's, in a version and for an application that we are. */
export function admit(
  crypto: Crypto,
  { model, outOfBand }: Invitation,
  appId: string,
  { features, hint }: MessageOf<"START">,
): Features | { readonly refuse: number } {
  const parsed = featuresOf(features, false);
  if (!parsed) return { refuse: REASON.INVALID_PARAMETERS };
  if (!parsed.versions.includes(PAIRING_VERSION)) return { refuse: REASON.VERSION };
  // The person at this screen chose the model; there is nothing to negotiate.
  if (parsed.models !== model || parsed.io !== traitsOf(model).ioInitiator)
    return { refuse: REASON.AUTHENTICATION_REQUIREMENTS };
  if (parsed.appId !== appId) return { refuse: REASON.OTHER_APPLICATION };
  const expected = outOfBand ? hintOf(crypto, outOfBand) : new Uint8Array(0);
  return equalConstantTime(hint, expected) ? parsed : { refuse: REASON.OOB_NOT_AVAILABLE };
}

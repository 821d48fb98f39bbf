import assert from "node:assert/strict";
import type { MethodKind } from "#pairing/invitation.js";
import { TERRIBLE_LINK } from "../simulation/network.js";
import { PairingWorld, PHONE } from "./pairing.js";
import { responderMethod } from "./pairingStages.js";

export interface Story {
  /** How often somebody had to press the button. */
  readonly tries: number;
  /** Of the last try: virtual milliseconds until both had their bond, without the seconds that people took. */
  readonly ms: number;
}

const MAX_TRIES = 8;
const SECRET = new Uint8Array(32).fill(3);
/** When the later of the two people has answered, in the worlds of test/support/pairing.ts. */
const PEOPLE_MS: Record<MethodKind, number> = { compare: 3000, code: 4500, link: 2000, secret: 0 };

/** 30 % loss, duplication and reordering: people try until it works. Never different digits, never a bond on the phone only, never two different bonds. */
export function pairUnderLoss(method: MethodKind, seed: number): Story {
  const link = { ...TERRIBLE_LINK, corrupt: 0 };
  const world = new PairingWorld({ seed, method: responderMethod(method, SECRET), link });
  for (let tries = 1; tries <= MAX_TRIES; tries++) {
    const began = world.clock.now();
    const phone = world.start({ ...PHONE, port: PHONE.port + tries });
    world.clock.runUntil(() => phone.outcome !== undefined, 200_000);
    const ms = world.clock.now() - began - PEOPLE_MS[method];
    if (phone.digits !== undefined) assert.equal(phone.digits, world.pcDigits?.digits, "different digits");
    const bond = phone.bonds[0];
    if (bond) {
      assert.deepEqual(bond.psk, world.pcBonds.at(-1)?.psk, "the phone's bond is not the PC's");
      assert.deepEqual(bond.bondId, world.pcBonds.at(-1)?.bondId);
      return { tries, ms };
    }
    if (!world.responder.isOpen) world.open();
    world.clock.runUntil(() => false, 20_000);
  }
  assert.fail("no bond");
}

import { HandfastError } from "#kernel/errors.js";
import type { Context } from "./context.node.js";
import { EXIT } from "./exitCodes.js";
import { demoMitm } from "./mitm/demoMitm.node.js";

/** `handfast demo mitm`: an attacker between two devices deceives a look-alike and not Handfast; anything else throws. */
export async function demoAttack({ screen }: Context): Promise<number> {
  const write = (text: string): void => screen.result(text.replace(/\n$/, ""));
  for (const { act, pc, phone = null, refused } of await demoMitm({ write })) {
    const end = refused ? `refused: ${refused.code}` : phone === pc ? "the digits agree" : "the digits differ";
    screen.event({ event: "step", name: act, text: `PC ${pc}, phone ${phone ?? "no digits"}; ${end}` });
    if ((phone === pc) !== (act === "lookAlike"))
      throw new HandfastError("DEMO_FAILED", `The demo failed in the part "${act}": ${end}.`);
  }
  return EXIT.ok;
}

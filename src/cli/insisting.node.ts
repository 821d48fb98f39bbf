import { HandfastError } from "#kernel/errors.js";
import type { Context } from "./context.node.js";
import { askInsist } from "./question.node.js";

/** Opens pairing; when ten tries in a row have failed only after the person has typed yes. Throws what `open` throws. */
export async function insisting<Value>(context: Context, open: (insist: boolean) => Promise<Value>): Promise<Value> {
  try {
    return await open(false);
  } catch (error) {
    if (!(error instanceof HandfastError) || error.code !== "INSIST_NEEDED" || !(await askInsist(context))) throw error;
    return await open(true);
  }
}

import { networkInterfaces } from "node:os";
import { defaultDeviceName } from "#device/deviceName.node.js";
import type { OpenOptions } from "#device/open.node.js";
import { Answers } from "./answers.node.js";
import { UsageError } from "./exitCodes.js";
import { inside } from "./inside.node.js";
import { Screen } from "./screen.node.js";
import { closeEmptyState, statePath } from "./statePath.node.js";

/** Options that every command understands. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly state?: string;
  readonly interface?: readonly string[];
  readonly name?: string;
  readonly port?: number;
  readonly crypto?: "node" | "noble";
  readonly rekey?: number;
}

/** What a command runs with. */
export interface Context {
  readonly screen: Screen;
  readonly answers: Answers;
  /** Aborts when the person wants to stop. */
  readonly signal: AbortSignal;
  readonly state: string;
  readonly options: CommonOptions;
}

export async function contextFor(options: CommonOptions, signal: AbortSignal): Promise<Context> {
  const state = statePath(options.state);
  await closeEmptyState(state);
  return { screen: new Screen(options.json === true), answers: new Answers(), signal, state, options };
}

/** How the device of this command is opened. Throws UsageError for an interface that does not exist. */
export function deviceOptions({ options, state }: Context): OpenOptions {
  const { port, crypto, rekey } = options;
  return {
    name: deviceName(options),
    store: state,
    ...(port !== undefined && { port }),
    ...(options.interface && { interfaces: existing(options.interface) }),
    ...(crypto && { crypto }),
    ...inside(),
    ...(rekey !== undefined && { rekeyLimits: rekeyEvery(rekey) }),
  };
}

export function deviceName({ name }: CommonOptions): string {
  return name ?? defaultDeviceName();
}

function existing(names: readonly string[]): readonly string[] {
  const known = Object.keys(networkInterfaces());
  const wrong = names.find((name) => !known.includes(name));
  if (wrong !== undefined)
    throw new UsageError(`There is no network interface "${wrong}". This machine has: ${known.join(", ")}.`);
  return names;
}

function rekeyEvery(seconds: number): NonNullable<OpenOptions["rekeyLimits"]> {
  return { softAgeMs: seconds * 1000, hardAgeMs: Math.max(30 * 60_000, 3 * seconds * 1000) };
}

/** What a search through all reachable states has found. */
export interface Verdict {
  readonly states: number;
  /** False when the limit was reached first. */
  readonly complete: boolean;
  /** The property that fails, and the steps that lead there; undefined: it held in every state that was seen. */
  readonly broken?: string;
  readonly trace?: readonly string[];
}

/** A finite model: states, the steps from each, and what must never be. */
export interface Model<State> {
  readonly start: State;
  /** Two states with the same key are the same. */
  readonly key: (state: State) => string | number;
  readonly next: (state: State, step: (label: string, to: State) => void) => void;
  /** The name of a violated property. */
  readonly violated: (state: State) => string | undefined;
}

/** Breadth first, so the trace is a shortest one. Keeps the keys of all states and, for the trace, how each was reached. */
export function explore<State>(model: Model<State>, limit: number): Verdict {
  const seen = new Map<string | number, number>([[model.key(model.start), 0]]);
  const states: (State | undefined)[] = [model.start];
  const origin: (readonly [parent: number, label: string] | undefined)[] = [undefined];
  for (let at = 0; at < states.length; at++) {
    const state = states[at];
    if (state === undefined) continue;
    const broken = model.violated(state);
    if (broken !== undefined) return { states: states.length, complete: false, broken, trace: path(origin, at) };
    if (states.length >= limit) return { states: states.length, complete: false };
    model.next(state, (label, to) => {
      const key = model.key(to);
      if (seen.has(key)) return;
      seen.set(key, states.length);
      origin.push([at, label]);
      states.push(to);
    });
    states[at] = undefined; // its key is enough
  }
  return { states: states.length, complete: true };
}

function path(origin: readonly (readonly [number, string] | undefined)[], at: number): string[] {
  const labels: string[] = [];
  for (let step = origin[at]; step; step = origin[step[0]]) labels.unshift(step[1]);
  return labels;
}

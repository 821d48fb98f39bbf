import { Session } from "node:inspector/promises";

const OURS = /\/dist\/(transport|src\/kernel)\//;

/**
 * How many blocks of the channel's own code run in `act`: V8 counts them. Unlike time it is the same on every machine and in
 * every run. What built-in functions do inside (copying, sorting, looking up) is one step.
 */
export async function countSteps(act: () => void): Promise<number> {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  act();
  const { result } = await session.post("Profiler.takePreciseCoverage");
  await session.post("Profiler.stopPreciseCoverage");
  session.disconnect();
  let steps = 0;
  for (const { url, functions } of result)
    if (OURS.test(url)) for (const { ranges } of functions) for (const { count } of ranges) steps += count;
  return steps;
}

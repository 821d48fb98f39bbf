import { concat } from "#kernel/bytes.js";
import type { Session } from "#transport/session.js";
import type { SessionStream } from "#transport/sessionStream.js";

export async function readAll(stream: SessionStream): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let bytes = await stream.read(); bytes; bytes = await stream.read()) parts.push(bytes);
  return concat(...parts);
}

export async function firstOf<T>(iterable: AsyncIterable<T>): Promise<T> {
  for await (const value of iterable) return value;
  throw new Error("nothing came");
}

/** Sends `bytes` on a new stream; resolves with what the other end read from it. */
export async function transfer(from: Session, to: Session, bytes: Uint8Array): Promise<Uint8Array> {
  const received = (async () => readAll(await firstOf(to.incomingStreams())))();
  // Awaited below; until then a failure is nobody's.
  received.catch(() => {});
  const stream = await from.openStream();
  await stream.write(bytes);
  await stream.end();
  return received;
}

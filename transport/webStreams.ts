/** What the web's streams are made from. */
interface Source {
  read(): Promise<Uint8Array | undefined>;
  stopReceiving(code?: number): void;
}

interface Sink {
  write(bytes: Uint8Array): Promise<void>;
  end(): Promise<void>;
  resetSending(code?: number): void;
}

/** Pulls only when somebody reads: credit goes back to the peer for bytes that were really taken. */
export function readableOf(source: Source): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      type: "bytes",
      async pull(controller): Promise<void> {
        const bytes = await source.read();
        if (bytes) {
          // The stream detaches what it is given; ours may be a part of something larger.
          controller.enqueue(bytes.slice());
          return;
        }
        controller.close();
        // A BYOB reader waits with a buffer of its own, which goes back empty.
        (controller as { byobRequest?: { respond(bytes: number): void } | null }).byobRequest?.respond(0);
      },
      cancel: () => source.stopReceiving(),
    },
    { highWaterMark: 0 },
  ) as ReadableStream<Uint8Array>;
}

/** Messages as a stream: taken from their bounded queue only when somebody reads. */
export function readableOfMessages(source: () => AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  const messages = source();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller): Promise<void> {
        const { done, value } = await messages.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: () => void messages.return(undefined),
    },
    { highWaterMark: 0 },
  );
}

export function writableOf(sink: Sink): WritableStream<Uint8Array> {
  return new WritableStream<Uint8Array>({
    write: (chunk) => sink.write(chunk.slice()),
    close: () => sink.end(),
    abort: () => sink.resetSending(),
  });
}

import { HandfastError, WireError } from "#kernel/errors.js";
import type { ByteStream } from "#kernel/ports.js";
import { MessageChannel } from "./messageChannel.js";
import type { SyncMessage, SyncMode } from "./messages.js";
import type { SharedFolder } from "./sharedFolder.js";
import type { SyncEvent } from "./syncEvents.js";
import { SyncReceiver } from "./syncReceiver.js";
import { SyncSender } from "./syncSender.js";

export interface SyncSessionOptions {
  readonly stream: ByteStream;
  readonly shared: SharedFolder;
  /** What this side does: the other must do the opposite, or both. */
  readonly mode: SyncMode;
  /** The device at the other end, as the channel has proved it. */
  readonly peer: string;
  readonly onEvent: (event: SyncEvent) => void;
  readonly wait: (ms: number) => Promise<void>;
}

/** The two sides do not want the same: both only send, or both only receive. */
export class SyncModeError extends HandfastError {
  override readonly name = "SyncModeError";
  constructor() {
    super(
      "MODES_DO_NOT_FIT",
      "Both devices want to send, or both to receive. Choose --mode so that one sends and one receives.",
    );
  }
}

/** One folder kept in step with one peer over one stream. Both ends run the same code. PROTOCOL.md §2. */
export class SyncSession {
  readonly #options: SyncSessionOptions;
  readonly #channel: MessageChannel;
  #sender: SyncSender | undefined;
  #receiver: SyncReceiver | undefined;
  #fail: (error: unknown) => void = () => {};

  constructor(options: SyncSessionOptions) {
    this.#options = options;
    this.#channel = new MessageChannel(options.stream);
  }

  /** Everything of ours is durable at the peer. */
  get sent(): boolean {
    return this.#sender?.settled ?? false;
  }

  /** Syncs until the peer ends the stream or the signal aborts. Rejects when it cannot go on. */
  async run(signal?: AbortSignal): Promise<void> {
    const stop = (): void => this.#options.stream.reset(0);
    signal?.addEventListener("abort", stop, { once: true });
    const unlisten = this.#options.shared.onChange(() => this.#announce());
    try {
      await this.#greet();
      const failed = new Promise<never>((_, reject) => {
        this.#fail = reject;
      });
      this.#receiver?.run().catch((error: unknown) => this.#fail(error));
      this.#announce();
      await Promise.race([this.#readAll(), failed]);
    } catch (error) {
      if (signal?.aborted) return;
      this.#channel.reset();
      throw error;
    } finally {
      unlisten();
      signal?.removeEventListener("abort", stop);
      this.#receiver?.close(new HandfastError("CLOSED", "Syncing has ended."));
      await this.#options.shared.save();
    }
  }

  /** No more from us: the peer's `run` ends. */
  async end(): Promise<void> {
    await this.#channel.end();
  }

  async #greet(): Promise<void> {
    const { shared, mode, peer, onEvent, wait } = this.#options;
    const { index, device } = shared;
    const known = index.peers.get(peer);
    const have = { indexId: known?.indexId ?? "", sequence: known?.sequence ?? 0 };
    await this.#channel.send({ type: "hello", device, indexId: index.id, mode, have });
    const hello = await this.#channel.receive();
    if (!hello) throw new HandfastError("CLOSED", "The other device does not sync a folder now.");
    // The channel has proved who the peer is; a different claim is a lie or a mix-up.
    if (hello.type !== "hello" || hello.device !== peer) throw new WireError("a sync greeting of another device");
    const weSend = mode !== "receive" && hello.mode !== "send";
    const weReceive = mode !== "send" && hello.mode !== "receive";
    if (!weSend && !weReceive) throw new SyncModeError();
    const from = hello.have.indexId === index.id ? Math.min(hello.have.sequence, index.sequence) : 0;
    if (weSend) this.#sender = new SyncSender(shared, this.#channel, from, onEvent);
    const options = { shared, channel: this.#channel, peer, peerIndexId: hello.indexId, onEvent, wait };
    if (weReceive) this.#receiver = new SyncReceiver(options);
  }

  #announce(): void {
    this.#sender?.announce().catch((error: unknown) => this.#fail(error));
  }

  async #readAll(): Promise<void> {
    for (let message = await this.#channel.receive(); message; message = await this.#channel.receive())
      await this.#onMessage(message);
  }

  async #onMessage(message: SyncMessage): Promise<void> {
    const sender = this.#sender;
    const receiver = this.#receiver;
    if (message.type === "request" && sender) {
      if (!sender.onRequest(message, this.#fail)) throw new WireError("too many requests at once");
    } else if (message.type === "applied" && sender) sender.onApplied(message.sequence);
    else if (message.type === "index" && receiver) receiver.onIndex(message);
    else if (message.type === "data" && receiver) await receiver.onData(message.id, message.bytes);
    else if (message.type === "end" && receiver) receiver.onEnd(message.id, message.status);
    else throw new WireError("a sync message that does not fit the mode");
  }
}

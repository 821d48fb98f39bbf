import { HandfastError, WireError } from "#kernel/errors.js";
import type { ByteStream } from "#kernel/ports.js";
import { MessageChannel } from "./messageChannel.js";
import type { SyncMessage, SyncMode } from "./messages.js";
import { refusalText } from "./refusal.js";
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
  /** Resolves after so many milliseconds. The signal ends it early; how does not matter. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
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
  /** Our sequence number at the last `synced`. */
  #told: number | undefined;
  #fail: (error: unknown) => void = () => {};

  constructor(options: SyncSessionOptions) {
    this.#options = options;
    this.#channel = new MessageChannel(options.stream);
  }

  /** Everything of ours is durable at the peer. */
  get sent(): boolean {
    return this.#sender?.settled ?? false;
  }

  /** Neither side has anything that the other should have and has not. */
  get settled(): boolean {
    const { sender, receiver } = { sender: this.#sender, receiver: this.#receiver };
    return (sender ?? receiver) !== undefined && (sender?.settled ?? true) && (receiver?.settled ?? true);
  }

  /** Syncs until the peer ends the stream or the signal aborts. Rejects when it cannot go on. */
  async run(signal?: AbortSignal): Promise<void> {
    const stop = (): void => this.#options.stream.reset(0);
    signal?.addEventListener("abort", stop, { once: true });
    if (signal?.aborted) stop();
    const unlisten = this.#options.shared.onChange(() => this.#announce());
    let receiving: Promise<void> | undefined;
    try {
      await this.#greet();
      const failed = new Promise<never>((_, reject) => {
        this.#fail = reject;
      });
      receiving = this.#receiver?.run().catch((error: unknown) => this.#fail(error));
      this.#announce();
      await Promise.race([this.#readAll(), failed]);
      await this.#channel.end();
    } catch (error) {
      if (signal?.aborted) return;
      this.#channel.reset();
      throw error;
    } finally {
      unlisten();
      signal?.removeEventListener("abort", stop);
      this.#receiver?.close();
      // What is being made durable now is finished first.
      await receiving;
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
    // Whoever knows more of us than we do knew us before our index was lost.
    const fits = hello.have.indexId === index.id && hello.have.sequence <= index.sequence;
    const common = { shared, channel: this.#channel, onEvent, onSettled: () => this.#onSettled() };
    if (weSend) this.#sender = new SyncSender({ ...common, from: fits ? hello.have.sequence : 0 });
    if (weReceive)
      this.#receiver = new SyncReceiver({ ...common, peer, peerIndexId: hello.indexId, isHeard: weSend, wait });
  }

  #onSettled(): void {
    if (!this.settled) return;
    const sent = this.#sender?.takeSent() ?? 0;
    const received = this.#receiver?.takeReceived() ?? 0;
    const { files, bytes, sequence } = this.#options.shared.index;
    // Echoes of what was told already are no news.
    if (this.#told === sequence && sent + received === 0) return;
    this.#told = sequence;
    this.#options.onEvent({ type: "synced", files, bytes, sent, received });
  }

  #announce(): void {
    this.#sender?.announce().catch((error: unknown) => this.#fail(error));
  }

  async #readAll(): Promise<void> {
    for (let message = await this.#channel.receive(); message; message = await this.#channel.receive()) {
      const read = this.#onSent(message) ?? this.#onReceived(message);
      if (!read) throw new WireError("a sync message that does not fit the mode");
      await read;
    }
  }

  /** What answers our sending; undefined when it is not for the sender. */
  #onSent(message: SyncMessage): Promise<void> | undefined {
    const sender = this.#sender;
    if (!sender) return undefined;
    const { onEvent } = this.#options;
    if (message.type === "request") {
      if (!sender.onRequest(message, this.#fail)) throw new WireError("too many requests at once");
    } else if (message.type === "cancel") sender.onCancel(message.id);
    else if (message.type === "applied") sender.onApplied(message.sequence);
    else if (message.type === "progress") onEvent(message);
    else if (message.type === "refused")
      onEvent({ type: "skipped", path: message.path, reason: `on the other device: ${refusalText(message.why)}` });
    else if (message.type === "pause")
      onEvent(message.on ? { type: "paused", reason: "The disk of the other device is full." } : { type: "resumed" });
    else return undefined;
    return Promise.resolve();
  }

  /** What the peer sends us; undefined when it is not for the receiver. */
  #onReceived(message: SyncMessage): Promise<void> | undefined {
    const receiver = this.#receiver;
    if (!receiver) return undefined;
    if (message.type === "data") return receiver.onData(message.id, message.bytes);
    if (message.type === "index") receiver.onIndex(message);
    else if (message.type === "end") receiver.onEnd(message.id, message.status);
    else return undefined;
    return Promise.resolve();
  }
}

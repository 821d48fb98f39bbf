import type { Instant } from "#kernel/ports.js";
import type { ConnectionLog } from "./connectionLog.js";
import { TRANSPORT_ERROR, TransportError } from "./errors.js";
import { trafficKeys } from "./keys.js";
import type { NoiseInitiator } from "./noise.js";
import type { NoiseResult } from "./noiseState.js";
import type { PacketProtection } from "./packet.js";
import { RekeyHandshake, type RekeyHandshakeOptions, violation } from "./rekeyHandshake.js";
import { EpochUse, REKEY_LIMITS, type RekeyLimits } from "./rekeyLimits.js";
import { encodeRekeyMessage, type RekeyMessage, RekeyReader } from "./rekeyMessages.js";
import { Renewals } from "./renewals.js";

const STUCK_MS = 30_000;

export interface RekeyOptions extends RekeyHandshakeOptions {
  readonly role: "initiator" | "responder";
  readonly protection: PacketProtection;
  readonly now: Instant;
  readonly limits?: RekeyLimits;
  readonly log?: Pick<ConnectionLog, "rekey" | "keysInstalled" | "keysDiscarded"> | undefined;
  /** Sees the secrets of each new epoch before they are erased: only when a person asked for a key log. */
  readonly onSecrets?: ((epoch: number, noise: NoiseResult) => void) | undefined;
}

/** "idle" | "sent": waits for message 2 | "installed": waits for the first packet in the new epoch | "settling": old keys still open late packets. */
type State =
  | { readonly name: "idle" }
  | { readonly name: "sent"; readonly noise: NoiseInitiator; readonly epoch: number }
  | { readonly name: "installed"; readonly epoch: number; readonly exporter: Uint8Array }
  | { readonly name: "settling"; readonly until: Instant };

/** When and how fresh keys are made by a handshake inside the channel: PROTOCOL.md §4. Only the initiator starts; the responder asks. */
export class Rekey {
  readonly #options: Omit<RekeyOptions, "psk" | "exporter">;
  readonly #limits: RekeyLimits;
  readonly #handshake: RekeyHandshake;
  readonly #reader = new RekeyReader();
  readonly #out: Uint8Array[] = [];
  readonly #events: { type: "rekeyed"; epoch: number }[] = [];
  readonly #renewals: Renewals;
  #state: State = { name: "idle" };
  #epoch = 0;
  #use: EpochUse;
  #wanted = false;
  #asked = -1;
  #restrictedSince: Instant | undefined;
  #pingDue = false;
  /** The latest time anybody has told. */
  #now: Instant;
  /** Message 1 that came too soon. */
  #early: RekeyMessage | undefined;

  constructor({ psk, exporter, ...options }: RekeyOptions) {
    this.#options = options;
    this.#limits = options.limits ?? REKEY_LIMITS;
    this.#handshake = new RekeyHandshake({ ...options, psk, exporter });
    this.#renewals = new Renewals(options.now);
    this.#use = new EpochUse(this.#limits, options.random, options.now);
    this.#now = options.now;
  }

  /** The newest epoch that both ends have proved to hold. */
  get epoch(): number {
    return this.#epoch;
  }

  /** The keys that we send under are at a hard limit: only keys, ACKs and PINGs may be sent until there are fresh ones. */
  get restricted(): boolean {
    return this.#restrictedSince !== undefined;
  }

  /** How long the newest keys have been in use, in milliseconds. */
  ageMs(now: Instant): number {
    return this.#use.ageMs(now);
  }

  get deadline(): Instant | undefined {
    if (this.#state.name === "settling") return this.#state.until;
    if (this.#early) return this.#renewals.from;
    if (this.#state.name === "idle" && this.#wanted && !this.#askedAlready)
      return this.#options.role === "initiator" ? this.#renewals.from : 0;
    return this.#restrictedSince === undefined ? undefined : this.#restrictedSince + STUCK_MS;
  }

  /** Fresh keys as soon as possible; without effect while a rekey is running. */
  request(): void {
    this.#wanted = true;
    this.#startIfWanted();
  }

  onRekeyRequest(epoch: number): void {
    if (this.#options.role !== "initiator") throw violation("only the responder asks for new keys");
    if (epoch !== this.#epoch + 1) return;
    this.#options.log?.rekey("requested", epoch, this.#now);
    this.request();
  }

  /** The clock stood still for `hiddenMs` while the keys grew older. */
  age(hiddenMs: number, now: Instant): void {
    this.#use.age(hiddenMs);
    this.#judge(now);
  }

  onPacketSent(bytes: number, now: Instant): void {
    this.#use.count(bytes);
    this.#judge(now);
  }

  /**
   * A packet that nobody sealed: enough of them call for fresh keys, very many for the end (RFC 9001 §6.6).
   * True for the one at which the peer should also be given another connection ID to send to.
   */
  onPacketForged(now: Instant): boolean {
    const renew = this.#use.countForged();
    if (this.#use.forgeriesExhausted)
      throw new TransportError(TRANSPORT_ERROR.AEAD_LIMIT_REACHED, "Too many forged packets came under one key.");
    this.#judge(now);
    return renew;
  }

  /** An authentic packet of `epoch` arrived. The first one of a new epoch proves that the peer holds its keys. */
  onPacketOpened(epoch: number, bytes: number, now: Instant, ptoMs: number): void {
    this.#use.count(bytes);
    this.#judge(now);
    const state = this.#state;
    if (state.name !== "installed" || epoch !== state.epoch) return;
    this.#options.protection.promote();
    this.#handshake.advance(state.exporter);
    this.#epoch = state.epoch;
    // The initiator has sent in it since message 2.
    if (this.#options.role === "responder") this.#beginUse(now);
    this.#wanted = false;
    this.#state = { name: "settling", until: now + 3 * ptoMs };
    this.#events.push({ type: "rekeyed", epoch: this.#epoch });
    this.#options.log?.rekey("confirmed", this.#epoch, now);
    this.#pingDue = true;
  }

  /** Ordered CRYPTO bytes from the peer. Throws TransportError. */
  onCrypto(bytes: Uint8Array): void {
    this.#reader.push(bytes);
    for (let message = this.#reader.next(); message; message = this.#reader.next()) {
      if (message.type === 1) this.#onInit(message);
      else this.#onResponse(message);
    }
  }

  takeCrypto(): Uint8Array | undefined {
    return this.#out.shift();
  }

  /** The epoch to ask the initiator for, once for each. */
  takeRekeyRequest(): number | undefined {
    if (this.#options.role !== "responder" || !this.#wanted || this.#state.name !== "idle") return undefined;
    if (this.#askedAlready) return undefined;
    this.#asked = this.#epoch + 1;
    this.#options.log?.rekey("requested", this.#asked, this.#now);
    return this.#asked;
  }

  get #askedAlready(): boolean {
    return this.#asked === this.#epoch + 1;
  }

  /** A packet must leave so that the peer sees the new epoch in use. */
  takePing(): boolean {
    const due = this.#pingDue;
    this.#pingDue = false;
    return due;
  }

  tick(now: Instant): void {
    this.#now = Math.max(this.#now, now);
    if (this.#state.name === "settling" && now >= this.#state.until) this.#settle();
    if (this.#restrictedSince !== undefined && now >= this.#restrictedSince + STUCK_MS)
      throw new TransportError(
        TRANSPORT_ERROR.EPOCH_STUCK,
        "The keys are too old and the peer did not help to renew them.",
      );
    this.#startIfWanted();
    const early = this.#early;
    if (!early || now < this.#renewals.from) return;
    this.#early = undefined;
    this.#answer(early);
  }

  nextEvent(): { readonly type: "rekeyed"; readonly epoch: number } | undefined {
    return this.#events.shift();
  }

  #judge(now: Instant): void {
    this.#now = Math.max(this.#now, now);
    if (this.#use.softReached(now)) this.#wanted = true;
    if (this.#use.hardReached(now)) this.#restrictedSince ??= now;
  }

  #startIfWanted(): void {
    if (!this.#wanted || this.#options.role !== "initiator" || this.#state.name !== "idle") return;
    if (this.#now < this.#renewals.from) return;
    this.#renewals.pay(this.#now);
    const epoch = this.#epoch + 1;
    const { noise, message } = this.#handshake.start(epoch);
    this.#out.push(encodeRekeyMessage(message));
    this.#options.log?.rekey("started", epoch, this.#now);
    this.#state = { name: "sent", noise, epoch };
  }

  #onInit(message: RekeyMessage): void {
    const { role } = this.#options;
    if (this.#early) throw violation("a second rekey before the first was done");
    // "settling" is over for the peer when it starts: its timer may simply have been faster than ours.
    if (this.#state.name === "settling") this.#settle();
    else if (this.#state.name !== "idle") throw violation("a second rekey before the first was done");
    if (role !== "responder" || message.epoch !== this.#epoch + 1) throw violation("a rekey for another epoch");
    if (this.#now < this.#renewals.from) this.#early = message;
    else this.#answer(message);
  }

  #answer(message: RekeyMessage): void {
    this.#renewals.pay(this.#now);
    const answer = this.#handshake.answer(message);
    this.#out.push(encodeRekeyMessage(answer.message));
    this.#options.log?.rekey("answered", message.epoch, this.#now);
    this.#install(message.epoch, answer.result);
  }

  #onResponse(message: RekeyMessage): void {
    const state = this.#state;
    if (state.name !== "sent" || message.epoch !== state.epoch) throw violation("an answer to no question");
    this.#install(message.epoch, this.#handshake.finish(state.noise, message));
    this.#options.protection.sendInNext();
    this.#beginUse(this.#now);
    this.#pingDue = true;
  }

  /** From now on we send under fresh keys: what the old ones have carried, and their age, holds nothing up any more. */
  #beginUse(now: Instant): void {
    this.#use = new EpochUse(this.#limits, this.#options.random, now);
    this.#restrictedSince = undefined;
  }

  /** Late packets of the old epoch are not waited for any longer. */
  #settle(): void {
    this.#options.protection.erasePrevious();
    this.#options.log?.keysDiscarded(this.#epoch - 1, this.#now);
    this.#state = { name: "idle" };
  }

  #install(epoch: number, result: NoiseResult): void {
    const { crypto, role, protection } = this.#options;
    this.#options.onSecrets?.(epoch, result);
    protection.installNext(trafficKeys(crypto, role, result));
    this.#options.log?.keysInstalled(epoch, this.#now);
    this.#state = { name: "installed", epoch, exporter: result.exporter };
  }
}

import assert from "node:assert/strict";
import { fastestCrypto } from "#crypto/fastest.node.js";
import type { Address } from "#kernel/ports.js";
import type { Session } from "#transport/session.js";
import { GOOD_LINK } from "../simulation/network.js";
import { SleepingClock } from "../simulation/sleepingClock.js";
import { ChannelEnd, ChannelWorld, SERVER } from "./channel.js";
import { readAll } from "./streams.js";

// A day of a server and ten devices: seven that stay, one that sleeps, one that roams, one that does both.

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
export const HOUR: number = 60 * MINUTE;

const REKEY_MS = 10 * SECOND;
const ASK_MS = 30 * SECOND;
const REDIAL_MS = 2 * SECOND;
const ROAM_MS = 5 * MINUTE;
const GAP_MS = 1_500;
/** The simulated network remembers every address. */
const PLACES = 100;

interface Habits {
  readonly sleeps: boolean;
  readonly roams: boolean;
}

/** One device: keeps a session, renews its keys, asks for something now and then, and has its habits. */
class Dweller {
  readonly #world: ChannelWorld;
  readonly #habits: Habits;
  readonly #index: number;
  readonly #clock: SleepingClock;
  readonly #end: ChannelEnd;
  readonly #psk: Uint8Array;
  readonly #counts: DayCounts;
  #place = 0;
  #dialling = false;
  /** In no network at all. */
  offline = false;

  constructor(world: ChannelWorld, index: number, habits: Habits, counts: DayCounts) {
    this.#world = world;
    this.#habits = habits;
    this.#index = index;
    this.#counts = counts;
    this.#clock = new SleepingClock(world.clock);
    const { identity, psk } = world.addBond(`device ${index}`);
    this.#psk = psk;
    const options = { ...world.client.options, identity, now: this.#clock.now() };
    this.#end = new ChannelEnd(world, this.#address, options, this.#clock);
  }

  get host(): string {
    return this.#address.host;
  }

  get #address(): Address {
    return { host: `10.9.${this.#index}.${this.#place % PLACES}`, port: 50_000 };
  }

  get deaf(): boolean {
    return this.offline || this.#clock.asleep;
  }

  get #session(): Session | undefined {
    const { session } = this.#end;
    return session && !session.closeInfo ? session : undefined;
  }

  start(): void {
    const offset = 100 * this.#index;
    this.#every(REDIAL_MS, offset, () => this.#keepConnected());
    this.#every(REKEY_MS, 5 * SECOND + offset, () => void this.#renew());
    this.#every(ASK_MS, 7 * SECOND + offset, () => void this.#ask());
    if (this.#habits.roams) this.#every(ROAM_MS, 11 * SECOND + offset, () => this.#roam());
    if (this.#habits.sleeps) this.#every(HOUR, 20 * MINUTE + offset, () => this.#sleep());
  }

  /** While it is awake. */
  #every(ms: number, firstMs: number, act: () => void): void {
    const turn = (): void => {
      if (!this.#clock.asleep) act();
      this.#world.clock.schedule(ms, turn);
    };
    this.#world.clock.schedule(firstMs, turn);
  }

  #keepConnected(): void {
    for (const event of this.#end.events.splice(0)) {
      this.#dialling = false;
      if (event.type === "connected") this.#counts.sessions++;
    }
    this.#end.sessions.splice(0, this.#end.sessions.length - 1);
    if (this.#session || this.#dialling || this.offline) return;
    this.#dialling = true;
    const peerStatic = this.#world.serverKey.public;
    this.#end.endpoint.connect({ to: [SERVER], peerStatic, psk: this.#psk, id: "server" }, this.#clock.now());
    this.#end.pump.turn();
  }

  async #renew(): Promise<void> {
    try {
      if (await this.#session?.rekey()) this.#counts.rekeys++;
    } catch {
      this.#counts.brokenOff++;
    }
  }

  /** 2 KB there and back. */
  async #ask(): Promise<void> {
    const session = this.#session;
    if (!session) return;
    try {
      const stream = await session.openStream();
      const question = this.#world.random.bytes(2048);
      await stream.write(question);
      await stream.end();
      assert.deepEqual(await readAll(stream), question);
      this.#counts.answers++;
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      this.#counts.brokenOff++;
    }
  }

  #move(): void {
    this.#place++;
    this.#end.socket.rebind(this.#address);
    this.#end.endpoint.networkChanged(this.#clock.now());
    this.#end.pump.turn();
  }

  #roam(): void {
    this.offline = true;
    this.#world.clock.schedule(GAP_MS, () => {
      this.offline = false;
      this.#counts.moves++;
      if (!this.#clock.asleep) this.#move();
    });
  }

  #sleep(): void {
    this.#clock.sleep();
    // Some naps the server outlasts, most it does not.
    const minutes = this.#world.random.chance(0.3) ? 0.3 : 5 + this.#world.random.integer(30);
    this.#world.clock.schedule(minutes * MINUTE, () => {
      const slept = this.#clock.wake();
      this.#counts.sleeps++;
      this.#end.endpoint.resume(this.#clock.now(), slept);
      this.#move();
    });
  }
}

export interface DayCounts {
  sessions: number;
  rekeys: number;
  answers: number;
  /** Rekeys and questions that ended with their session. */
  brokenOff: number;
  moves: number;
  sleeps: number;
}

export class Day {
  readonly counts: DayCounts = { sessions: 0, rekeys: 0, answers: 0, brokenOff: 0, moves: 0, sleeps: 0 };
  readonly #world: ChannelWorld;

  constructor(seed: number, devices: number) {
    const link = { ...GOOD_LINK, delayMs: 2, loss: 0.005 };
    const world = new ChannelWorld({ seed, link, crypto: fastestCrypto, endpoint: { keepAlive: true } });
    this.#world = world;
    const dwellers = new Map<string, Dweller>();
    for (let i = 0; i < devices; i++) {
      const habits = { sleeps: i === 0 || i === 2, roams: i === 1 || i === 2 };
      const dweller = new Dweller(world, i, habits, this.counts);
      dwellers.set(`10.9.${i}`, dweller);
      dweller.start();
    }
    const of = ({ host }: Address): Dweller | undefined => dwellers.get(host.slice(0, host.lastIndexOf(".")));
    world.network.tap = (bytes, from, to) => (of(from)?.deaf || of(to)?.deaf ? [] : [bytes]);
    this.#serve();
  }

  async pass(ms: number): Promise<void> {
    await this.#world.clock.runUntilAsync(() => false, ms);
  }

  /** What the server holds now. */
  get held(): { readonly connections: number; readonly halfOpen: number; readonly bytes: number } {
    const { connections, halfOpen, memory } = this.#world.server.endpoint;
    return { connections, halfOpen, bytes: memory.receiving + memory.sending };
  }

  /** Echoes whatever comes, and forgets sessions that are over. */
  #serve(): void {
    const { server, clock } = this.#world;
    const served = new WeakSet<Session>();
    const look = (): void => {
      server.events.length = 0;
      for (const session of server.sessions) if (!served.has(session)) void this.#echo(served.add(session) && session);
      const live = server.sessions.filter((session) => !session.closeInfo);
      server.sessions.splice(0, server.sessions.length, ...live);
      clock.schedule(SECOND, look);
    };
    look();
  }

  async #echo(session: Session): Promise<void> {
    for await (const stream of session.incomingStreams())
      void readAll(stream)
        .then((bytes) => stream.write(bytes))
        .then(() => stream.end())
        .catch(() => {
          // The session is over; the device counts it.
        });
  }
}

import assert from "node:assert/strict";
import { fastestCrypto } from "#crypto/fastest.node.js";
import { DEFAULT_PARAMETERS } from "#transport/params.js";
import type { Session } from "#transport/session.js";
import { SleepingClock } from "../../simulation/sleepingClock.js";
import { ChannelWorld, CLIENT } from "../channel.js";
import type { InteropCase } from "../interop/world.js";
import { HOME, live } from "../profiles.js";
import { ADDRESS } from "./roaming.js";

const HOUR = 3_600_000;

/** Eight hours asleep, then another address: milliseconds from waking to the first word at the server. `idleMs` 0: it has waited; else it has long given up. */
async function sleep(idleMs: number): Promise<number> {
  let clock: SleepingClock | undefined;
  const world = new ChannelWorld({
    seed: 3,
    crypto: fastestCrypto,
    endpoint: { parameters: { ...DEFAULT_PARAMETERS, idleMs } },
    clientClock: (outside) => {
      clock = new SleepingClock(outside);
      return clock;
    },
  });
  live(world, HOME, 3);
  const first = await world.connected();
  assert.ok(clock);
  world.network.tap = (bytes, _from, to) => (clock?.asleep && to.port === CLIENT.port ? [] : [bytes]);
  await world.clock.runUntilAsync(() => false, 1_000);
  clock.sleep();
  await world.clock.runUntilAsync(() => false, 8 * HOUR);
  const slept = clock.wake();
  const wokeAt = world.clock.now();
  world.client.socket.rebind(ADDRESS);
  // As hostWatch tells it.
  world.client.endpoint.resume(clock.now(), slept);
  world.client.endpoint.networkChanged(clock.now());
  world.client.pump.turn();
  const word = Uint8Array.of(1);
  const heard = async (session: Session): Promise<void> => {
    for await (const _ of session.datagrams()) return;
    throw new Error("the session ended");
  };
  if (idleMs === 0) {
    first.client.sendDatagram(word);
    await world.until(heard(first.server), 30_000);
    assert.ok(first.server.stats().epoch > 0, "with fresh keys");
    return world.clock.now() - wokeAt;
  }
  await world.until(first.client.closed, 30_000);
  const again = await world.connected();
  again.client.sendDatagram(word);
  await world.until(heard(again.server), 30_000);
  return world.clock.now() - wokeAt;
}

export const SLEEP: InteropCase = {
  name: "sleep: eight hours, then another address",
  check:
    "a word arrives within 3 round trips of waking when the server has waited (the new address and fresh keys first), and within 4 when it has given up (told at once, dialled anew)",
  async run() {
    const roundTrip = 2 * HOME.link.delayMs;
    const [waited, gaveUp] = [await sleep(0), await sleep(DEFAULT_PARAMETERS.idleMs)];
    assert.ok(waited <= 3 * roundTrip, `${waited} ms`);
    assert.ok(gaveUp <= 4 * roundTrip, `${gaveUp} ms`);
    return `${waited.toFixed(0)} ms and ${gaveUp.toFixed(0)} ms at ${roundTrip} ms`;
  },
};

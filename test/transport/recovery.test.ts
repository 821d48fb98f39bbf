import assert from "node:assert/strict";
import { test } from "node:test";
import { TRANSPORT_ERROR, TransportError } from "#transport/errors.js";
import type { AckFrame } from "#transport/frames.js";
import { NewReno } from "#transport/newReno.js";
import { Recovery } from "#transport/recovery.js";
import { RttEstimator } from "#transport/rtt.js";
import type { SentFrame } from "#transport/sentPacket.js";

const MAX_ACK_DELAY = 25;
const SIZE = 1200;
const SAYS: readonly SentFrame[] = [{ kind: "maxData" }];

class Flight {
  readonly rtt: RttEstimator = new RttEstimator();
  readonly congestion: NewReno = new NewReno(SIZE);
  readonly recovery: Recovery = new Recovery(this.rtt, this.congestion, MAX_ACK_DELAY);

  send(numbers: readonly number[], sentAt: number, probe = false, frames: readonly SentFrame[] = SAYS): void {
    for (const number of numbers) {
      this.recovery.numbers.onUsed(number);
      this.recovery.onSent({ number, sentAt, size: SIZE, frames, probe });
    }
  }

  ack(now: number, ...ranges: readonly [number, number][]): ReturnType<Recovery["onAck"]> {
    return this.recovery.onAck(ackOf(ranges), now);
  }
}

/** Runs from the highest to the lowest. */
function ackOf(runs: readonly (readonly [number, number])[], delayMs = 0): AckFrame {
  return { largest: runs[0]?.[1] ?? 0, delayMs, ranges: runs.flat() };
}

function upTo(last: number, first = 0): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

function numbers(packets: readonly { readonly number: number }[]): number[] {
  return packets.map(({ number }) => number);
}

test("RFC 9002 §5.3: the first sample sets the estimate, later ones move it, the peer's delay is taken off", () => {
  const rtt = new RttEstimator();
  assert.equal(rtt.pto(MAX_ACK_DELAY), 100 + 200 + 25);
  rtt.update(40, 0);
  assert.deepEqual([rtt.smoothed, rtt.variance, rtt.min], [40, 20, 40]);
  rtt.update(80, 10);
  assert.equal(rtt.smoothed, 0.875 * 40 + 0.125 * 70);
  assert.equal(rtt.variance, 0.75 * 20 + 0.25 * 30);
  // A delay that would push the sample below the shortest round trip is not believed.
  rtt.update(41, 10);
  assert.equal(rtt.min, 40);
  assert.equal(rtt.lossDelay(9 / 8), (9 / 8) * Math.max(rtt.latest, rtt.smoothed));
});

test("RFC 9000 §9.4: on another path the round trip is measured anew, and only by packets that left there", () => {
  const flight = new Flight();
  flight.send([0, 1], 0);
  flight.ack(40, [0, 0]);
  flight.recovery.startPath(new NewReno(SIZE));
  assert.deepEqual([flight.rtt.hasSample, flight.rtt.min], [false, Number.POSITIVE_INFINITY]);
  flight.send([2], 100);
  flight.ack(101, [1, 1]);
  assert.equal(flight.rtt.hasSample, false);
  flight.ack(107, [2, 2]);
  assert.equal(flight.rtt.smoothed, 7);
});

test("RFC 9000 §9.4: what was sent on the old path fills no window of the new one, whether it arrives or is lost", () => {
  const flight = new Flight();
  flight.send(upTo(20), 0);
  flight.ack(40, [0, 0]);
  const fresh = new NewReno(SIZE);
  const before = fresh.window;
  flight.recovery.startPath(fresh);
  assert.equal(flight.recovery.bytesInFlight, 0);
  flight.send([21, 22], 100);
  assert.equal(flight.recovery.bytesInFlight, 2 * SIZE);
  // Ten arrive, ten are lost: the application hears of all, the controller of none.
  const { acked, lost } = flight.ack(110, [11, 20]);
  assert.deepEqual([acked.length, lost.length, fresh.window], [10, 10, before]);
  assert.equal(flight.recovery.bytesInFlight, 2 * SIZE);
  assert.deepEqual(numbers(flight.ack(120, [22, 22]).acked), [22]);
  assert.equal(flight.recovery.bytesInFlight, SIZE);
  // The same loss on the path of now is one.
  flight.send(upTo(26, 23), 130);
  assert.deepEqual(numbers(flight.ack(140, [26, 26], [11, 20]).lost), [21, 23]);
  assert.ok(fresh.window < before);
});

test("RFC 9002 §6.1.1: three packets later it is lost, two packets later it is not", () => {
  const flight = new Flight();
  flight.send(upTo(9), 0);
  assert.deepEqual(numbers(flight.ack(10, [1, 2]).lost), []);
  assert.deepEqual(numbers(flight.ack(10, [3, 3], [1, 2]).lost), [0]);
});

test("RFC 9002 §6.1.2: 9/8 of a round trip later it is lost, and not a moment before", () => {
  const flight = new Flight();
  flight.send([0, 1], 0);
  assert.deepEqual(numbers(flight.ack(80, [1, 1]).lost), []);
  assert.equal(flight.recovery.deadline, 90);
  assert.deepEqual(numbers(flight.recovery.onTimeout(89.9)), []);
  assert.deepEqual(numbers(flight.recovery.onTimeout(90)), [0]);
  assert.equal(flight.recovery.bytesInFlight, 0);
});

test("RFC 9002 §6.2: the probe timeout doubles up to two seconds, asks for two packets, and an ACK ends it", () => {
  const flight = new Flight();
  flight.send([0], 0);
  flight.ack(100, [0, 0]);
  flight.send([1], 100);
  const pto = 100 + 4 * 50 + MAX_ACK_DELAY;
  const waits: number[] = [];
  let now = 100;
  for (let i = 0; i < 5; i++) {
    const deadline = flight.recovery.deadline ?? 0;
    waits.push(deadline - now);
    now = deadline;
    assert.deepEqual(flight.recovery.onTimeout(now), []);
    assert.equal(flight.recovery.probesDue, 2);
  }
  assert.deepEqual(waits, [pto, 2 * pto, 4 * pto, 2000, 2000]);
  flight.ack(now + 1, [0, 1]);
  assert.deepEqual([flight.recovery.ptoCount, flight.recovery.probesDue], [0, 0]);
});

test("RFC 9002 §6.2.4: probes carry the oldest that can be said again, whatever left before it", () => {
  const flight = new Flight();
  flight.send([0, 1], 0, false, []);
  flight.send([2], 1, false, [{ kind: "ack", largest: 7 }]);
  assert.deepEqual(flight.recovery.oldest(2), []);
  flight.send([3, 4, 5], 2);
  assert.deepEqual(numbers(flight.recovery.oldest(1)), [3]);
  assert.deepEqual(numbers(flight.recovery.oldest(2)), [3, 4]);
  flight.ack(30, [3, 3]);
  assert.deepEqual(numbers(flight.recovery.oldest(2)), [4, 5]);
});

test("RFC 9002 §7.6: only a silent stretch of three probe timeouts is persistent congestion", () => {
  for (const [span, gap] of [
    [true, false],
    [false, false],
    [true, true],
  ] as const) {
    const flight = new Flight();
    flight.send([0], 0);
    flight.ack(10, [0, 0]);
    // The ACK that finds the losses brings a second sample of 10 ms first.
    const pto = 10 + 4 * 3.75 + MAX_ACK_DELAY;
    flight.send(upTo(9, 1), 20);
    flight.send(upTo(19, 10), 20 + 3 * pto + (span ? 1 : -1));
    flight.send([20, 21, 22], 400);
    const runs: [number, number][] = gap
      ? [
          [22, 22],
          [5, 5],
        ]
      : [[22, 22]];
    flight.ack(410, ...runs);
    // Two packets, and one more for the packet that this ACK brought.
    const collapsed = flight.congestion.window === 3 * SIZE;
    assert.equal(collapsed, span && !gap, `span ${span}, gap ${gap}`);
  }
});

test("a path that reorders twenty deep is believed: the threshold follows, the window comes back, then both forget", () => {
  const flight = new Flight();
  flight.send(upTo(40), 0);
  const before = flight.congestion.window;
  assert.deepEqual(numbers(flight.ack(50, [1, 21]).lost), [0]);
  assert.ok(flight.congestion.window < before + 21 * SIZE);
  const late = flight.ack(51, [0, 22]);
  assert.deepEqual(numbers(late.late), [0]);
  assert.equal(flight.recovery.packetThreshold, 22);
  assert.equal(flight.recovery.spuriousLosses, 1);
  assert.ok(flight.congestion.window >= before, "the window is as if nothing had been lost");
  // Twenty-one behind is no loss any more; twenty-two is.
  flight.send(upTo(90, 41), 52);
  assert.deepEqual(numbers(flight.ack(100, [42, 62], [0, 40]).lost), []);
  assert.deepEqual(numbers(flight.ack(100, [42, 63], [0, 40]).lost), [41]);
  flight.ack(52 + 20 * flight.rtt.smoothed, [42, 64], [0, 40]);
  flight.send([91], 3000);
  flight.ack(3050, [91, 91], [42, 90], [0, 40]);
  assert.equal(flight.recovery.packetThreshold, 3);
});

test("one packet that arrives late does not undo a loss of two", () => {
  const flight = new Flight();
  flight.send(upTo(20), 0);
  assert.deepEqual(numbers(flight.ack(50, [2, 10]).lost), [0, 1]);
  const reduced = flight.congestion.window;
  assert.deepEqual(numbers(flight.ack(51, [1, 10]).late), [1]);
  assert.equal(flight.congestion.window, reduced);
});

test("RFC 9000 §21.4: who acknowledges a packet that was never sent, or a number left out, ends the connection", () => {
  const violation = (error: unknown): boolean =>
    error instanceof TransportError && error.transportCode === TRANSPORT_ERROR.PROTOCOL_VIOLATION;
  const flight = new Flight();
  flight.send([0, 1], 0);
  flight.recovery.numbers.onSkipped(2);
  flight.send([3, 4], 0);
  assert.throws(() => flight.ack(1, [0, 5]), violation);
  assert.throws(() => flight.ack(1, [0, 4]), violation);
  assert.deepEqual(numbers(flight.ack(1, [3, 4], [0, 1]).acked), [0, 1, 3, 4]);
});

test("a lost MTU probe takes nothing from the window", () => {
  const flight = new Flight();
  flight.send([0], 0, true);
  flight.send(upTo(5, 1), 0);
  const before = flight.congestion.window;
  const outcome = flight.ack(10, [1, 5]);
  assert.deepEqual(numbers(outcome.lost), [0]);
  assert.ok(flight.congestion.window >= before);
  assert.equal(flight.recovery.lostPackets, 0);
});

test("the ring of packets keeps its order while it grows and wraps", () => {
  const flight = new Flight();
  let next = 0;
  let oldest = 0;
  for (let round = 0; round < 50; round++) {
    const count = 1 + ((round * 37) % 200);
    flight.send(upTo(next + count - 1, next), round);
    next += count;
    const until = oldest + ((round * 53) % (next - oldest));
    const { acked, lost } = flight.ack(round, [oldest, until]);
    assert.deepEqual(numbers(acked), upTo(until, oldest));
    assert.deepEqual(lost, []);
    oldest = until + 1;
    assert.equal(flight.recovery.bytesInFlight, (next - oldest) * SIZE);
    assert.equal(flight.recovery.oldest(1)[0]?.number, oldest < next ? oldest : undefined);
  }
});

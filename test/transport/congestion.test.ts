import assert from "node:assert/strict";
import { test } from "node:test";
import type { AckReport } from "#transport/congestion.js";
import { initialWindow } from "#transport/congestion.js";
import { Cubic } from "#transport/cubic.js";
import { HyStart } from "#transport/hyStart.js";
import { NewReno } from "#transport/newReno.js";
import { RttEstimator } from "#transport/rtt.js";
import type { SentPacket } from "#transport/sentPacket.js";
import { GOOD_LINK, type Link } from "../simulation/network.js";
import { SimulatedTransfer } from "../support/transfer.js";

const SIZE = 1000;

function packet(number: number, sentAt: number, inFlight = 1e9): SentPacket {
  const delivery = { delivered: 0, deliveredAt: 0, flightStart: 0, inFlight, lost: 0, appLimited: false };
  return { number, sentAt, size: SIZE, frames: [], probe: false, ...delivery };
}

/** An ACK for one packet while the window is full. */
function acked(number: number, sentAt: number, now: number): AckReport {
  return {
    ...{ now, acked: [packet(number, sentAt)], ackedBytes: SIZE, lostBytes: 0, rttMs: now - sentAt },
    ...{ inFlightBefore: 1e9, inFlight: 1e9, delivered: 0, rate: undefined },
  };
}

test("RFC 9002 §7.2: ten packets to begin with, at most 14,720 bytes, at least two packets", () => {
  assert.deepEqual([1000, 1200, 1472, 9000, 61_440].map(initialWindow), [10_000, 12_000, 14_720, 18_000, 122_880]);
});

test("NewReno doubles in slow start, halves once a round, then grows by one packet a window", () => {
  const reno = new NewReno(SIZE);
  for (let i = 0; i < 10; i++) reno.onAck(acked(i, 0, 10));
  assert.equal(reno.window, 20_000);
  reno.onLost([packet(11, 5)], 20);
  reno.onLost([packet(12, 6)], 21);
  assert.equal(reno.window, 10_000);
  reno.onAck(acked(13, 7, 22));
  assert.equal(reno.window, 10_000, "sent before the loss was known");
  for (let i = 0; i < 10; i++) reno.onAck(acked(20 + i, 30, 40));
  assert.ok(reno.window > 10_900 && reno.window < 11_000);
  for (let i = 0; i < 10; i++) reno.onLost([packet(40 + i, 100 + i)], 100 + i);
  assert.equal(reno.window, 2 * SIZE);
});

test("RFC 9438: after a loss the window is 0.7 of itself, concave up to where it was, and there after K seconds", () => {
  const cubic = new Cubic(SIZE);
  const rtt = new RttEstimator(100);
  for (let i = 0; i < 190; i++) cubic.onAck(acked(i, 0, 100), rtt);
  assert.equal(cubic.window, 200_000);
  cubic.onLost([packet(200, 50)], 100);
  assert.equal(Math.round(cubic.window), 140_000);
  // K = cbrt(W_max (1 - beta) / C) = cbrt(200 * 0.3 / 0.4) = 5.31 s
  const at: Record<number, number> = {};
  let number = 300;
  for (let now = 101; now <= 9000; now += 10) {
    // A full window is acknowledged each round trip of 100 ms.
    for (let i = 0; i < cubic.window / SIZE / 10; i++) cubic.onAck(acked(number++, now - 0.5, now), rtt);
    at[Math.floor(now / 100) * 100] = cubic.window / SIZE;
  }
  const cubicAt = (seconds: number): number => 0.4 * (seconds - 5.313) ** 3 + 200;
  for (const ms of [1000, 2000, 3000, 5300, 7000, 8000]) {
    const expected = cubicAt((ms - 100) / 1000 + 0.1);
    assert.ok(Math.abs((at[ms] ?? 0) - expected) < 0.03 * expected, `${ms} ms: ${at[ms]} instead of ${expected}`);
  }
});

test("RFC 9438 §4.6, §4.7: fast convergence, and never slower than Reno on a short path", () => {
  const cubic = new Cubic(SIZE);
  const rtt = new RttEstimator(1);
  for (let i = 0; i < 30; i++) cubic.onAck(acked(i, 0, 1), rtt);
  cubic.onLost([packet(30, 0.5)], 1);
  cubic.onLost([packet(31, 2)], 3);
  assert.ok(Math.abs(cubic.window - 40_000 * 0.49) < 1);
  // On a 1 ms path CUBIC's own curve hardly moves in 100 ms; the Reno estimate does.
  const before = cubic.window;
  let number = 100;
  for (let now = 4; now < 104; now++)
    for (let i = 0; i < cubic.window / SIZE; i++) cubic.onAck(acked(number++, now - 0.5, now), rtt);
  assert.ok(cubic.window > before + 40 * SIZE, `${before} to ${cubic.window}`);
});

test("CUBIC undoes a loss that was none, and does not grow while the application is silent", () => {
  const cubic = new Cubic(SIZE);
  const rtt = new RttEstimator(50);
  for (let i = 0; i < 50; i++) cubic.onAck(acked(i, 0, 10), rtt);
  const before = cubic.window;
  cubic.onLost([packet(60, 5)], 10);
  cubic.onSpuriousLoss();
  assert.equal(cubic.window, before);
  cubic.onLost([packet(61, 11)], 12);
  const reduced = cubic.window;
  for (let i = 0; i < 100; i++) cubic.onAck({ ...acked(100 + i, 20 + i, 21 + i), inFlightBefore: SIZE }, rtt);
  assert.equal(cubic.window, reduced);
});

test("RFC 9406: eight samples that are an eighth longer slow the growth to a quarter, five such rounds end slow start", () => {
  const start = new HyStart();
  let number = 0;
  const round = (rttMs: number, samples: number): boolean => {
    let over = false;
    const end = number + samples - 1;
    for (let i = 0; i < samples; i++) over = start.onAck(number++, end + samples, rttMs);
    return over;
  };
  round(80, 10);
  round(89.9, 10);
  assert.equal(start.divisor, 1, "less than an eighth");
  round(100, 7);
  assert.equal(start.divisor, 1, "only seven samples");
  const other = new HyStart();
  number = 0;
  const otherRound = (rttMs: number, samples: number): boolean => {
    let over = false;
    const end = number + samples - 1;
    for (let i = 0; i < samples; i++) over = other.onAck(number++, end, rttMs);
    return over;
  };
  otherRound(80, 10);
  otherRound(92, 10);
  assert.equal(other.divisor, 4);
  for (let i = 0; i < 4; i++) assert.equal(otherRound(95, 10), false);
  assert.equal(otherRound(95, 10), true);
});

test("RFC 9406 §4.2: round trips that shrink again were a false alarm; a rise below 4 ms is never one", () => {
  const start = new HyStart();
  let number = 0;
  const round = (rttMs: number): void => {
    const end = number + 9;
    for (let i = 0; i < 10; i++) start.onAck(number++, end, rttMs);
  };
  round(2);
  round(5.9);
  assert.equal(start.divisor, 1);
  round(10);
  assert.equal(start.divisor, 4);
  round(9);
  assert.equal(start.divisor, 1);
});

const LOSSY: Link = { ...GOOD_LINK, delayMs: 10, rate: 200 * 125, queue: 500_000, loss: 0.01 };

test("one per cent of random loss: BBR keeps most of the link, CUBIC a small part", async () => {
  const share = async (congestion: "bbr" | "cubic", bytes: number): Promise<number> => {
    const [flow] = await new SimulatedTransfer({ seed: 5, link: LOSSY, flows: [{ congestion, bytes }] }).run();
    return bytes / (flow?.ms ?? Number.POSITIVE_INFINITY) / LOSSY.rate;
  };
  const bbr = await share("bbr", 16 * 2 ** 20);
  const cubic = await share("cubic", 2 ** 20);
  assert.ok(bbr > 0.6, `BBR: ${bbr}`);
  assert.ok(cubic < 0.25 * bbr, `CUBIC: ${cubic}`);
});

test("on a path whose round trips vary, a startup that lost a few packets by chance still finds the path's rate", async () => {
  const link = { ...GOOD_LINK, delayMs: 2, jitterMs: 3, rate: 200 * 125, queue: 256_000, loss: 0.005 };
  const bytes = 16 * 2 ** 20;
  for (const seed of [2, 3]) {
    const flows = [{ congestion: "bbr", bytes }] as const;
    const [flow] = await new SimulatedTransfer({ seed, link, flows, maxDatagram: 1472, timerMs: 1.16 }).run();
    const share = bytes / (flow?.ms ?? Number.POSITIVE_INFINITY) / link.rate;
    assert.ok(share > 0.88, `seed ${seed}: ${share}`);
  }
});

test("a startup that waits for flow control now and then ends all the same, and with it the queue", async () => {
  const link = { ...GOOD_LINK, delayMs: 10, rate: 500 * 125, queue: 2e6, loss: 0.01 };
  const bytes = 32 * 2 ** 20;
  const flows = [{ congestion: "bbr", bytes }] as const;
  const [flow] = await new SimulatedTransfer({ seed: 1, link, flows, maxDatagram: 1472, timerMs: 1.16 }).run();
  const share = bytes / (flow?.ms ?? Number.POSITIVE_INFINITY) / link.rate;
  assert.ok(share > 0.66, `${share}`);
});

test("BBR lives with timers that fire at whole milliseconds", async () => {
  const link = { ...GOOD_LINK, delayMs: 0.3, rate: 500 * 125, queue: 256_000 };
  const bytes = 16 * 2 ** 20;
  const flows = [{ congestion: "bbr", bytes }] as const;
  const [flow] = await new SimulatedTransfer({ seed: 2, link, flows, timerMs: 1.16 }).run();
  assert.ok(bytes / (flow?.ms ?? Number.POSITIVE_INFINITY) > 0.85 * link.rate);
});

const MBIT = 125;
/** A link that flows share, with a queue of so many bandwidth-delay products. */
const shared = (rttMs: number, rate: number, products: number): Link => ({
  ...GOOD_LINK,
  ...{ delayMs: rttMs / 2, rate: rate * MBIT, queue: products * rttMs * rate * MBIT, shared: true },
});
const [SHORT, MIDDLE, LONG] = [shared(6, 30, 2), shared(20, 20, 1), shared(40, 20, 1)];

for (const [first, second, least, links] of [
  ["bbr", "bbr", 0.35, [SHORT, MIDDLE, LONG]],
  ["bbr", "cubic", 0.2, [SHORT, MIDDLE]],
  ["cubic", "bbr", 0.2, [SHORT, MIDDLE]],
  ["bbr", "newreno", 0.2, [MIDDLE]],
  ["newreno", "bbr", 0.2, [MIDDLE]],
] as const)
  test(`${second} that joins ${first} gets its share of the link, and leaves the other's`, async () => {
    for (const link of links) {
      const flows = [
        { congestion: first, bytes: 1e9 },
        { congestion: second, bytes: 1e9, startMs: 300 },
      ];
      const shares = await new SimulatedTransfer({ seed: 4, link, flows }).shares(5000, 12_000);
      for (const share of shares) assert.ok(share >= least, `${2 * link.delayMs} ms: shares ${shares.join(", ")}`);
    }
  });

test("four flows that come one after the other share a link evenly", async () => {
  const flows = [0, 300, 600, 900].map((startMs) => ({ congestion: "bbr" as const, bytes: 1e9, startMs }));
  const shares = await new SimulatedTransfer({ seed: 6, link: shared(20, 20, 1), flows }).shares(6000, 16_000);
  const squares = shares.reduce((sum, share) => sum + share ** 2, 0);
  // Jain's index: 1 when all have the same.
  assert.ok(1 / (shares.length * squares) >= 0.9, shares.join(", "));
});

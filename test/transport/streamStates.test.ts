import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "#kernel/varint.js";
import { MemoryAccount, MemoryPool } from "#transport/memory.js";
import { ReceiveSide } from "#transport/receiveSide.js";
import { SendSide } from "#transport/sendSide.js";

const BYTES = Uint8Array.of(1, 2, 3, 4);

/** Sends everything that the half offers, as one packet would. */
function sendAll(side: SendSide): { offset: number; length: number; fin: boolean }[] {
  const runs: { offset: number; length: number; fin: boolean }[] = [];
  for (let run = side.next(1000, 1000); run; run = side.next(1000, 1000)) {
    side.copy(run, new ByteWriter(new Uint8Array(1000)));
    runs.push(run);
  }
  return runs;
}

const ack = (side: SendSide): void => {
  for (const run of sendAll(side)) side.onAcked(run);
};

const SENDING: Readonly<Record<string, () => SendSide>> = {
  open: () => {
    const side = new SendSide(1000, new MemoryAccount(new MemoryPool(1e6)));
    side.write(BYTES);
    return side;
  },
  finished: () => {
    const side = SENDING["open"]?.() ?? new SendSide(0, new MemoryAccount(new MemoryPool(1e6)));
    side.finish();
    return side;
  },
  "all sent": () => {
    const side = SENDING["finished"]?.() ?? new SendSide(0, new MemoryAccount(new MemoryPool(1e6)));
    sendAll(side);
    return side;
  },
  "reset due": () => {
    const side = SENDING["open"]?.() ?? new SendSide(0, new MemoryAccount(new MemoryPool(1e6)));
    sendAll(side);
    side.reset(7);
    return side;
  },
  "reset sent": () => {
    const side = SENDING["reset due"]?.() ?? new SendSide(0, new MemoryAccount(new MemoryPool(1e6)));
    side.onResetSent();
    return side;
  },
  "reset acked": () => {
    const side = SENDING["reset sent"]?.() ?? new SendSide(0, new MemoryAccount(new MemoryPool(1e6)));
    side.onResetAcked();
    return side;
  },
  "all acked": () => {
    const side = SENDING["finished"]?.() ?? new SendSide(0, new MemoryAccount(new MemoryPool(1e6)));
    ack(side);
    return side;
  },
};

function sendState(side: SendSide): string {
  if (side.resetCode !== undefined) {
    assert.equal(side.next(1000, 1000), undefined, "nothing but the reset is sent");
    return side.settled ? "reset acked" : side.resetDue ? "reset due" : "reset sent";
  }
  if (side.settled) return "all acked";
  if (!side.ended) return "open";
  return side.wantsToSend(1000) ? "finished" : "all sent";
}

const SEND_EVENTS: Readonly<Record<string, (side: SendSide) => void>> = {
  finish: (side) => side.finish(),
  reset: (side) => side.reset(9),
  send: (side) => void sendAll(side),
  acked: (side) => {
    side.onAcked({ offset: 0, length: 4, fin: side.ended });
  },
  lost: (side) => side.onLost({ offset: 0, length: 4, fin: side.ended }),
  "reset sent": (side) => side.onResetSent(),
  "reset acked": (side) => side.onResetAcked(),
  "reset lost": (side) => side.onResetLost(),
  credit: (side) => side.raiseLimit(2000),
};

// Rows: the state before; columns in the order of SEND_EVENTS: the state after. PROTOCOL.md §7.
const SEND_TABLE = `
open         finished     reset due    open         open         open         open         open         open         open
finished     finished     reset due    all sent     all acked    finished     finished     finished     finished     finished
all sent     all sent     reset due    all sent     all acked    finished     all sent     all sent     all sent     all sent
reset due    reset due    reset due    reset due    reset due    reset due    reset sent   reset acked  reset due    reset due
reset sent   reset sent   reset sent   reset sent   reset sent   reset sent   reset sent   reset acked  reset due    reset sent
reset acked  reset acked  reset acked  reset acked  reset acked  reset acked  reset acked  reset acked  reset acked  reset acked
all acked    all acked    all acked    all acked    all acked    all acked    all acked    all acked    all acked    all acked
`;

test("the sending half: every state × every event", () => {
  const rows = Object.entries(SENDING).map(([state, make]) => {
    assert.equal(sendState(make()), state);
    const after = Object.values(SEND_EVENTS).map((event) => {
      const side = make();
      event(side);
      return sendState(side);
    });
    return [state, ...after];
  });
  assert.equal(table(rows), SEND_TABLE.trim());
});

const RECEIVING: Readonly<Record<string, () => ReceiveSide>> = {
  open: () => new ReceiveSide(100, 100, new MemoryAccount(new MemoryPool(1e6))),
  "with data": () => receiving((side) => side.onData(0, BYTES, false)),
  "size known": () => receiving((side) => side.onData(4, BYTES, true)),
  complete: () => receiving((side) => side.onData(0, BYTES, true)),
  ended: () => {
    const side = receiving((it) => it.onData(0, BYTES, true));
    side.read(100);
    side.read(100);
    return side;
  },
  reset: () => receiving((side) => side.onReset(5, 8)),
  stopped: () => receiving((side) => side.stop(6)),
  "stopped, over": () => {
    const side = receiving((it) => it.stop(6));
    side.onData(0, BYTES, true);
    return side;
  },
};

function receiving(event: (side: ReceiveSide) => unknown): ReceiveSide {
  const side = new ReceiveSide(100, 100, new MemoryAccount(new MemoryPool(1e6)));
  event(side);
  return side;
}

function receiveState(side: ReceiveSide): string {
  if (side.resetCode !== undefined) return "reset";
  if (side.stopped) return side.settled ? "stopped, over" : "stopped";
  if (side.ended) return "ended";
  if (side.complete) return "complete";
  if (side.knowsSize) return "size known";
  return side.available > 0 ? "with data" : "open";
}

const RECEIVE_EVENTS: Readonly<Record<string, (side: ReceiveSide) => void>> = {
  data: (side) => void side.onData(0, BYTES, false),
  "data with FIN at 4": (side) => void side.onData(0, BYTES, true),
  "data with FIN at 8": (side) => void side.onData(4, BYTES, true),
  "reset at 8": (side) => void side.onReset(5, 8),
  "reset at 4": (side) => void side.onReset(5, 4),
  "beyond the window": (side) => void side.onData(98, BYTES, false),
  stop: (side) => side.stop(6),
  "read all": (side) => {
    while (side.read(100)) {}
  },
};

const RECEIVE_TABLE = `
open           with data      complete       size known     reset          reset          FLOW_CONTROL   stopped        open
with data      with data      complete       complete       reset          reset          FLOW_CONTROL   stopped        open
size known     complete       FINAL_SIZE     size known     reset          FINAL_SIZE     FINAL_SIZE     stopped, over  size known
complete       complete       complete       FINAL_SIZE     FINAL_SIZE     complete       FINAL_SIZE     stopped, over  ended
ended          ended          ended          FINAL_SIZE     FINAL_SIZE     ended          FINAL_SIZE     stopped, over  ended
reset          reset          FINAL_SIZE     reset          reset          FINAL_SIZE     FINAL_SIZE     reset          reset
stopped        stopped        stopped, over  stopped, over  reset          reset          FLOW_CONTROL   stopped        stopped
stopped, over  stopped, over  stopped, over  FINAL_SIZE     FINAL_SIZE     reset          FINAL_SIZE     stopped, over  stopped, over
`;

test("the receiving half: every state × every event", () => {
  const rows = Object.entries(RECEIVING).map(([state, make]) => {
    assert.equal(receiveState(make()), state);
    const after = Object.values(RECEIVE_EVENTS).map((event) => {
      const side = make();
      try {
        event(side);
      } catch (error) {
        return (error as { code: string }).code.replace("_ERROR", "");
      }
      return receiveState(side);
    });
    return [state, ...after];
  });
  assert.equal(table(rows), RECEIVE_TABLE.trim());
});

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const width = Math.max(...widths);
  return rows
    .map((row) =>
      row
        .map((cell) => cell.padEnd(width))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

test("whatever becomes of the bytes, the connection's credit comes back exactly once", () => {
  const stories: readonly ((side: ReceiveSide) => void)[] = [
    (side) => {
      side.onData(0, BYTES, true);
      while (side.read(100)) {}
    },
    (side) => {
      side.onData(0, BYTES, true);
      side.stop(1);
    },
    (side) => {
      side.stop(1);
      side.onData(0, BYTES, true);
    },
    (side) => {
      side.onData(0, BYTES.subarray(2), false);
      side.onReset(1, 4);
    },
    (side) => {
      side.stop(1);
      side.onReset(1, 4);
    },
    (side) => {
      side.onData(2, BYTES.subarray(2), true);
      side.stop(1);
    },
  ];
  for (const [i, story] of stories.entries()) {
    const side = new ReceiveSide(100, 100, new MemoryAccount(new MemoryPool(1e6)));
    story(side);
    assert.equal(side.takeReleased(), 4, `story ${i}`);
    assert.equal(side.takeReleased(), 0);
    assert.ok(side.settled, `story ${i}`);
  }
});

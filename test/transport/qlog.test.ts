import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { qlogInto } from "#transport/qlog.node.js";
import type { QlogFormat } from "#transport/qlogDialect.js";
import type { Session } from "#transport/session.js";
import { GOOD_LINK } from "../simulation/network.js";
import { type ChannelEnd, ChannelWorld, CLIENT, SERVER } from "../support/channel.js";
import { inFolder } from "../support/inFolder.js";
import { type QlogEvent, type QlogTrace, tracesIn } from "../support/qlogTrace.js";
import { transfer } from "../support/streams.js";

const LINK = { ...GOOD_LINK, delayMs: 5, loss: 0.03, duplicate: 0.02, corrupt: 0.01, reorder: 0.05, reorderMs: 12 };

/** QUIC's events by our words for them: whoever compares them with qlog's drafts finds them here. */
const NAMES: Readonly<Record<QlogFormat, Readonly<Record<string, string>>>> = {
  "0.3": {
    started: "transport:connection_started",
    closed: "transport:connection_closed",
    sent: "transport:packet_sent",
    received: "transport:packet_received",
    dropped: "transport:packet_dropped",
    lost: "recovery:packet_lost",
    spurious: "recovery:spurious_loss",
    metrics: "recovery:metrics_updated",
    congestion: "recovery:congestion_state_updated",
    mtu: "recovery:mtu_updated",
    updated: "security:key_updated",
    discarded: "security:key_discarded",
  },
  latest: {
    started: "quic:connection_started",
    closed: "quic:connection_closed",
    sent: "quic:packet_sent",
    received: "quic:packet_received",
    dropped: "quic:packet_dropped",
    lost: "quic:packet_lost",
    spurious: "handfast:spurious_loss",
    metrics: "quic:recovery_metrics_updated",
    congestion: "quic:congestion_state_updated",
    mtu: "quic:mtu_updated",
    updated: "quic:key_updated",
    discarded: "quic:key_discarded",
  },
};

interface Told {
  readonly trace: QlogTrace;
  readonly session: Session;
  readonly end: ChannelEnd;
}

/** A connection with everything in it that a trace can tell of. */
async function story(format: QlogFormat, check: (told: Told, name: (event: string) => string) => void): Promise<void> {
  await inFolder(async (folder) => {
    const endpoint = { log: qlogInto(folder, format), maxDatagram: () => 1452 };
    const world = new ChannelWorld({ seed: 1, link: LINK, endpoint });
    const { client, server } = await world.connected();
    const secret = new TextEncoder().encode("the contents of a stream ".repeat(20_000));
    await world.until(transfer(client, server, secret));
    await world.until(client.rekey());
    await world.until(server.rekey());
    await world.until(transfer(server, client, secret));
    // Nothing arrives for a while: probe timeouts; then what comes is of an epoch that is not there, or no packet at all.
    world.network.link = { ...LINK, loss: 1 };
    const late = transfer(client, server, secret);
    await world.clock.runUntilAsync(() => false, 1000);
    world.network.link = LINK;
    let wire = new Uint8Array(100);
    world.network.tap = (bytes, from) => {
      if (from.host === CLIENT.host) wire = bytes.slice();
      return [bytes];
    };
    await world.until(late);
    const wrong = wire.slice();
    wrong[0] = (wrong[0] ?? 0) ^ 0x20;
    world.server.pump.receive(wrong, CLIENT);
    world.server.pump.receive(wire.slice(0, 30), CLIENT);
    world.client.socket.rebind({ ...CLIENT, host: "10.0.0.9" });
    await world.until(transfer(client, server, secret));
    world.client.endpoint.networkChanged(world.clock.now());
    world.client.endpoint.resume(world.clock.now(), 4000);
    await world.clock.runUntilAsync(() => false, 3000);
    await world.until(client.close({ code: 7, reason: "done" }));
    await world.until(server.closed);
    const name = (event: string): string => NAMES[format][event] ?? event;
    for (const [role, session, end] of [
      ["initiator", client, world.client],
      ["responder", server, world.server],
    ] as const) {
      const traces = tracesIn(folder, role);
      assert.equal(traces.length, 1);
      for (const trace of traces) check({ trace, session, end }, name);
    }
  });
}

/** What only one of the formats has: head, lengths of frames, the end. */
const LOOKS: Readonly<Record<QlogFormat, (trace: QlogTrace, initiator: boolean) => void>> = {
  "0.3": ({ head, events }, initiator) => {
    const { qlog_version, qlog_format, file_schema } = head;
    assert.deepEqual([qlog_version, qlog_format, file_schema], ["0.3", "JSON-SEQ", undefined]);
    const common = head.trace["common_fields"] as Record<string, unknown>;
    assert.equal(common["time_format"], "relative");
    assert.equal(typeof common["reference_time"], "number");
    assert.match(String(common["ODCID"]), /^[0-9a-f]{16}$/);
    assert.equal(typeof streamFrame(events)?.["length"], "number");
    const owner = initiator ? "local" : "remote";
    assert.deepEqual(events.at(-1)?.data, { owner, application_code: 7, reason: "done" });
  },
  latest: ({ head, events }, initiator) => {
    assert.equal(head["file_schema"], "urn:ietf:params:qlog:file:sequential");
    assert.equal(head["serialization_format"], "application/qlog+json-seq");
    assert.equal(head["qlog_version"], undefined);
    const { event_schemas, common_fields } = head.trace;
    assert.deepEqual(event_schemas, ["urn:ietf:params:qlog:events:quic-12", "urn:handfast:qlog:1"]);
    const { time_format, reference_time, group_id } = common_fields as Record<string, unknown>;
    assert.match(String(group_id), /^[0-9a-f]{16}$/);
    assert.equal(time_format, "relative_to_epoch");
    const { clock_type, epoch, wall_clock_time } = reference_time as Record<string, string>;
    assert.deepEqual([clock_type, epoch], ["monotonic", "unknown"]);
    assert.ok(Number.isFinite(Date.parse(wall_clock_time ?? "")));
    const frame = streamFrame(events);
    assert.equal(frame?.["length"], undefined);
    const raw = frame?.["raw"] as Record<string, unknown> | undefined;
    assert.equal(typeof raw?.["payload_length"], "number");
    const data = { initiator: initiator ? "local" : "remote", reason: "done" };
    const end = { application_error: "unknown", error_code: 7, trigger: "application" };
    assert.deepEqual(events.at(-1)?.data, { ...data, ...end });
  },
};

function streamFrame(events: readonly QlogEvent[]): Readonly<Record<string, unknown>> | undefined {
  return events.flatMap(({ data }) => data.frames ?? []).find(({ frame_type }) => frame_type === "stream");
}

for (const format of ["0.3", "latest"] as const)
  test(`${format}: a trace has every packet, its fate, keys, paths and the end, and nothing of the contents`, async () => {
    const drops: string[] = [];
    const names = new Set<unknown>();
    await story(format, ({ trace, session, end }, name) => {
      assert.equal(statSync(trace.path).mode & 0o777, 0o600);
      assert.ok(!trace.text.includes("contents"));
      assert.ok(trace.events.every(({ time }, i) => time >= (trace.events[i - 1]?.time ?? 0)));
      assert.equal(trace.events[0]?.name, name("started"));
      assert.equal(trace.events.at(-1)?.name, name("closed"));
      const known = [...Object.values(NAMES[format]), "handfast:rekey", "handfast:path", "handfast:resume"];
      for (const event of trace.events) assert.ok(known.includes(event.name), event.name);

      // The numbers are the connection's own.
      const { packetsSent, packetsReceived, packetsLost, spuriousLosses, probeTimeouts } = session.stats();
      const one =
        (event: string) => (each: { readonly data: { readonly header?: { readonly packet_type: string } } }) =>
          each.data.header?.packet_type === event;
      assert.equal(trace.all(name("sent")).filter(one("1RTT")).length, packetsSent);
      assert.equal(trace.all(name("received")).filter(one("1RTT")).length, packetsReceived);
      const lost = trace.all(name("lost"));
      assert.equal(lost.filter(({ data }) => data["is_mtu_probe_packet"] !== true).length, packetsLost);
      const { length } = lost;
      const [reordered, late] = [
        trace.count(name("lost"), "reordering_threshold"),
        trace.count(name("lost"), "time_threshold"),
      ];
      assert.equal(reordered + late, length);
      assert.ok(reordered > 0 && late > 0, `${reordered} ${late}`);
      assert.equal(trace.count(name("spurious")), spuriousLosses);
      assert.ok(spuriousLosses > 0);
      assert.equal(
        trace.all(name("metrics")).filter(({ data }) => data["pto_count"] !== undefined).length,
        probeTimeouts,
      );
      for (const [reason, trigger] of [
        ["short", "invalid"],
        ["epoch", "key_unavailable"],
        ["forged", "decryption_failure"],
      ] as const) {
        const count = trace.count(name("dropped"), trigger);
        assert.equal(count, end.endpoint.drops[reason], reason);
        if (count > 0) drops.push(trigger);
      }
      if (trace.count(name("dropped"), "duplicate") > 0) drops.push("duplicate");

      const initiator = end.endpoint.stats().inits.accepted === 0;
      // Sent again when lost: at least one of each.
      const initials = trace.all(name(initiator ? "sent" : "received")).filter(one("initial"));
      const handshakes = trace.all(name(initiator ? "received" : "sent")).filter(one("handshake"));
      assert.ok(initials.length >= 1 && handshakes.length === 1);
      assert.deepEqual(initials[0]?.data["raw"], { length: 1200 });

      const epochs = (event: string): unknown[] => trace.all(name(event)).map(({ data }) => data["key_phase"]);
      assert.deepEqual(epochs("updated"), [1, 1, 2, 2]);
      assert.deepEqual(epochs("discarded"), [0, 0, 1, 1]);
      const trigger = initiator ? "local_update" : "remote_update";
      assert.equal(trace.count(name("updated"), trigger), 4);
      const steps = trace.all("handfast:rekey").map(({ data }) => `${data["step"]} ${data["epoch"]}`);
      const step = initiator ? "started" : "answered";
      assert.deepEqual(steps, [`${step} 1`, "confirmed 1", "requested 2", `${step} 2`, "confirmed 2"]);

      const sizes = trace.all(name("mtu")).map(({ data }) => `${data["old"]} ${data["new"]}`);
      assert.equal(sizes[0], "1200 1452");
      const states = trace.all(name("congestion")).map(({ data }) => data);
      assert.deepEqual(states[0], { new: "startup" });
      assert.ok(states.slice(1).every(({ old }, i) => old === states[i]?.["new"]));
      const paths = trace.all("handfast:path").map(({ data }) => `${data["change"]} ${data["remote"]}`);
      const changes = ["suspect", "answers", "networkChanged"].map((what) => `${what} ${SERVER.host} ${SERVER.port}`);
      if (initiator) assert.deepEqual(paths, changes);
      else assert.deepEqual(paths[0], `moved 10.0.0.9 ${CLIENT.port}`);
      assert.deepEqual(
        trace.all("handfast:resume").map(({ data }) => data),
        initiator ? [{ hidden: 4000 }] : [],
      );

      LOOKS[format](trace, initiator);
      const { ODCID, group_id = ODCID } = trace.head.trace["common_fields"] as Record<string, unknown>;
      names.add(group_id);
      const frames = trace.events.flatMap(({ data }) => data.frames ?? []);
      for (const type of ["stream", "ack", "crypto", "0x840 rekey_request", "path_challenge"])
        assert.ok(
          frames.some(({ frame_type }) => frame_type === type),
          type,
        );
    });
    assert.equal(names.size, 1, "both ends name the connection the same");
    for (const trigger of ["invalid", "key_unavailable", "decryption_failure", "duplicate"])
      assert.ok(drops.includes(trigger), trigger);
  });

test("a dial that nobody answers, and one that was given up, leave a trace that ends", async () => {
  await inFolder(async (folder) => {
    const world = new ChannelWorld({ seed: 3, link: { ...GOOD_LINK, loss: 1 }, endpoint: { log: qlogInto(folder) } });
    world.dial({ timeoutMs: 1000 });
    await world.clock.runUntilAsync(() => false, 2000);
    world.dial();
    world.client.endpoint.cancel(2);
    const ends = tracesIn(folder, "initiator").map((trace) => {
      const { reason, ...data } = trace.events.at(-1)?.data ?? {};
      return { sent: trace.count("transport:packet_sent"), ...data };
    });
    ends.sort((a, b) => b.sent - a.sent);
    assert.deepEqual(ends, [
      { sent: 3, owner: "remote", connection_code: "UNREACHABLE" },
      { sent: 1, owner: "local", application_code: 0 },
    ]);
  });
});

test("what never became a connection, and what is cut off when a device shuts down, leaves a trace that ends", async () => {
  const lastOf = (trace: QlogTrace | undefined): unknown => [
    trace?.events.at(-1)?.name,
    trace?.events.at(-1)?.data["application_code"],
  ];
  await inFolder(async (folder) => {
    const world = new ChannelWorld({ seed: 5, endpoint: { log: qlogInto(folder) } });
    // The client never hears the Response: the server's half waits for it in vain.
    world.network.tap = (bytes, from) => (from.host === SERVER.host ? [] : [bytes]);
    world.dial();
    await world.clock.runUntilAsync(() => false, 30_000);
    assert.equal(world.server.endpoint.halfOpen, 0);
    assert.deepEqual(tracesIn(folder, "responder").map(lastOf), [["transport:connection_closed", 0]]);
  });
  await inFolder(async (folder) => {
    const world = new ChannelWorld({ seed: 5, endpoint: { log: qlogInto(folder) } });
    await world.connected();
    world.client.endpoint.close();
    assert.equal(world.client.endpoint.connections, 0);
    assert.deepEqual(tracesIn(folder, "initiator").map(lastOf), [["transport:connection_closed", 0]]);
  });
});

test("a program that ends in the middle of a connection leaves what it has seen", async () => {
  await inFolder(async (folder) => {
    const cid = "new Uint8Array(8)";
    const script = `import { qlogInto } from "#transport/qlog.node.js";
      const log = qlogInto(${JSON.stringify(folder)})({ role: "initiator", cid: ${cid}, clientCid: ${cid}, now: 1 });
      log.packetSize(1452, 2);
      process.exit(3);`;
    const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
    assert.equal(status, 3, stderr);
    assert.equal(tracesIn(folder, "initiator")[0]?.count("recovery:mtu_updated"), 1);
  });
});

test("an Init that was answered with a Cookie shows it", async () => {
  await inFolder(async (folder) => {
    const world = new ChannelWorld({ seed: 4, endpoint: { log: qlogInto(folder) } });
    for (let i = 0; i < 10; i++) {
      world.dial();
      await world.clock.runUntilAsync(() => false, 20);
    }
    await world.clock.runUntilAsync(() => false, 20_000);
    for (const session of world.client.sessions) session.abort();
    await world.clock.runUntilAsync(() => false, 100);
    const retries = tracesIn(folder, "initiator").flatMap((trace) =>
      trace.all("transport:packet_received").filter(({ data }) => data.header?.packet_type === "retry"),
    );
    assert.equal(retries.length, world.server.endpoint.drops.cookie);
    assert.ok(retries.length > 0);
  });
});

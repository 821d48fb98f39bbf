import type { Instant, RandomSource } from "#kernel/ports.js";
import { fold } from "./names.js";
import { recordKey } from "./rdata.js";
import {
  type DnsPacket,
  type DnsQuestion,
  type DnsRecord,
  MDNS_PORT,
  META,
  type OutgoingPacket,
  type PacketOrigin,
} from "./records.js";

// RFC 6762 §6, §6.7, §7.2
const SHARED_DELAY_MS = [20, 120] as const;
const TRUNCATED_DELAY_MS = [400, 500] as const;
const MIN_REPEAT_MS = 1000;
const MIN_DEFENCE_MS = 250;
const LEGACY_TTL = 10;
const MAX_QUESTIONS = 32;
/** Answers to one address in each second: a forged sender must not make us shout at somebody. */
const MAX_DIRECT_PER_SECOND = 10;
const QU = 0x8000;

interface Held {
  readonly record: DnsRecord;
  /** When everybody on this link heard it last. */
  sentAt: Instant;
}

interface Pending {
  at: Instant;
  readonly asker: string;
}

/** Answers questions on one interface about the records it holds: RFC 6762 §6, §7. PROTOCOL.md §3. */
export class Responder {
  readonly #interface: string;
  readonly #random: RandomSource;
  readonly #out: OutgoingPacket[];
  #held: Map<string, Held> = new Map();
  readonly #pending: Map<string, Pending> = new Map();
  #directSince: Instant = Number.NEGATIVE_INFINITY;
  #directCount = 0;

  /** Packets to send are appended to `out`. */
  constructor(interfaceName: string, random: RandomSource, out: OutgoingPacket[]) {
    this.#interface = interfaceName;
    this.#random = random;
    this.#out = out;
  }

  /** Replaces what is held. Says goodbye to what is gone and would not be flushed by a successor (RFC 6762 §10.1). */
  hold(records: readonly DnsRecord[]): void {
    const before = this.#held;
    this.#held = new Map();
    for (const record of records) {
      const key = recordKey(record);
      if (key) this.#held.set(key, { record, sentAt: before.get(key)?.sentAt ?? Number.NEGATIVE_INFINITY });
    }
    for (const key of this.#pending.keys()) if (!this.#held.has(key)) this.#pending.delete(key);
    const sets = new Set([...this.#held.values()].map(({ record }) => setOf(record)));
    const gone = [...before]
      .filter(([key, { sentAt }]) => !this.#held.has(key) && sentAt !== Number.NEGATIVE_INFINITY)
      .map(([, { record }]) => record)
      .filter((record) => record.name !== META && record.type !== "NSEC")
      .filter((record) => record.flush !== true || !sets.has(setOf(record)));
    if (gone.length > 0) this.#send(gone.map((record) => ({ ...record, ttl: 0 })));
  }

  announce(now: Instant): void {
    this.#pending.clear();
    for (const held of this.#held.values()) held.sentAt = now;
    this.#send([...this.#held.values()].map(({ record }) => record));
  }

  onQuery(query: DnsPacket, origin: PacketOrigin, now: Instant): void {
    const questions = (query.questions ?? []).slice(0, MAX_QUESTIONS);
    const known = query.answers ?? [];
    if (questions.length === 0) {
      this.#forgetKnown(known, origin.address);
      return;
    }
    const asked = questions.map((question) => this.#matching(question));
    const answers = new Set(asked.flat().filter((key) => !this.#isKnown(key, known)));
    if (answers.size === 0) return;
    if (origin.port !== MDNS_PORT) this.#answerDirectly(answers, origin, now, query);
    else if (this.#mayAnswerDirectly(questions, answers, now)) this.#answerDirectly(answers, origin, now);
    else this.#schedule(answers, this.#delay(query, asked), origin, now, isProbe(query));
  }

  onResponse({ answers = [] }: DnsPacket, origin: PacketOrigin, now: Instant): void {
    for (const record of answers) {
      const key = recordKey(record);
      const held = key && this.#held.get(key);
      if (!held) continue;
      const [heard, own] = [record.ttl ?? 0, held.record.ttl ?? 0];
      // RFC 6762 §7.4: what somebody else has just told everybody need not be said again.
      if (held.record.flush !== true && heard >= own) this.#pending.delete(key);
      // RFC 6762 §6.6: who gives ours too short a life, or takes it, is corrected.
      else if (heard < own / 2 && held.record.name !== META) this.#schedule([key], 0, origin, now, false);
    }
  }

  tick(now: Instant): void {
    const due = [...this.#pending].filter(([, { at }]) => at <= now).map(([key]) => key);
    if (due.length === 0) return;
    for (const key of due) this.#pending.delete(key);
    const recent = (key: string): boolean => (this.#held.get(key)?.sentAt ?? now) > now - MIN_REPEAT_MS;
    const extra = this.#additionals(new Set(due)).filter((key) => !recent(key));
    for (const key of [...due, ...extra]) {
      const held = this.#held.get(key);
      if (held) held.sentAt = now;
    }
    this.#send(this.#recordsOf(due), this.#recordsOf(extra));
  }

  get deadline(): Instant {
    let earliest = Number.POSITIVE_INFINITY;
    for (const { at } of this.#pending.values()) earliest = Math.min(earliest, at);
    return earliest;
  }

  /** Keys of the records that answer; the negative answer when the name is ours and the type is not (RFC 6762 §6.1). */
  #matching({ name, type, class: asked = "IN" }: DnsQuestion): string[] {
    if (!["IN", "ANY", `UNKNOWN_${QU | 1}`, `UNKNOWN_${QU | 255}`].includes(asked)) return [];
    const wanted = fold(name);
    const ofName = [...this.#held].filter(([, { record }]) => record.name === wanted);
    const found = ofName.filter(([, { record }]) => (type === "ANY" ? record.type !== "NSEC" : record.type === type));
    const answers = found.length > 0 ? found : ofName.filter(([, { record }]) => record.type === "NSEC");
    return answers.map(([key]) => key);
  }

  /** RFC 6762 §7.1: who lists a record with half its life left needs no answer. */
  #isKnown(key: string, known: readonly DnsRecord[]): boolean {
    const ttl = this.#held.get(key)?.record.ttl ?? 0;
    return known.some((record) => (record.ttl ?? 0) >= ttl / 2 && recordKey(record) === key);
  }

  #forgetKnown(known: readonly DnsRecord[], asker: string): void {
    for (const [key, pending] of this.#pending)
      if (pending.asker === asker && this.#isKnown(key, known)) this.#pending.delete(key);
  }

  /** RFC 6762 §6: at once when only we can know the answer; with others, after a moment, so that not all speak at once. */
  #delay(query: DnsPacket, asked: readonly (readonly string[])[]): number {
    const alone = asked.every(
      (keys) => keys.length > 0 && keys.every((key) => this.#held.get(key)?.record.flush === true),
    );
    if (isProbe(query) || (alone && query.flag_tc !== true)) return 0;
    const [least, most] = query.flag_tc === true ? TRUNCATED_DELAY_MS : SHARED_DELAY_MS;
    return least + ((most - least) * (this.#random(1)[0] ?? 0)) / 255;
  }

  #schedule(answers: Iterable<string>, delay: number, origin: PacketOrigin, now: Instant, defence: boolean): void {
    for (const key of answers) {
      const sentAt = this.#held.get(key)?.sentAt ?? 0;
      const at = Math.max(now + delay, sentAt + (defence ? MIN_DEFENCE_MS : MIN_REPEAT_MS));
      const pending = this.#pending.get(key);
      if (pending) pending.at = Math.min(pending.at, at);
      else this.#pending.set(key, { at, asker: origin.address });
    }
    this.tick(now);
  }

  /** RFC 6762 §5.4: a unicast answer is wanted, and everybody has heard the records a short while ago. */
  #mayAnswerDirectly(questions: readonly DnsQuestion[], answers: Iterable<string>, now: Instant): boolean {
    if (!questions.every(({ class: asked }) => asked?.startsWith("UNKNOWN_"))) return false;
    return [...answers].every((key) => {
      const { record, sentAt = 0 } = this.#held.get(key) ?? {};
      return sentAt > now - ((record?.ttl ?? 0) * 1000) / 4;
    });
  }

  /** To one address. RFC 6762 §6.7: a plain DNS client (`legacy`) gets one plain answer, soon forgotten. */
  #answerDirectly(keys: ReadonlySet<string>, origin: PacketOrigin, now: Instant, legacy?: DnsPacket): void {
    if (now - this.#directSince >= 1000) {
      this.#directSince = now;
      this.#directCount = 0;
    }
    if (++this.#directCount > MAX_DIRECT_PER_SECOND) return;
    const plain = ({ flush: _, ...record }: DnsRecord): DnsRecord => ({ ...record, ttl: LEGACY_TTL });
    const shape = (records: DnsRecord[]): DnsRecord[] =>
      legacy ? records.filter(({ type }) => type !== "NSEC").map(plain) : records;
    const answers = shape(this.#recordsOf(keys));
    const additionals = shape(this.#recordsOf(this.#additionals(keys)));
    const questions = (legacy?.questions ?? [])
      .slice(0, MAX_QUESTIONS)
      .map(({ name, type }) => ({ name, type, class: "IN" }));
    const packet = { ...(legacy && { id: legacy.id ?? 0, questions }), answers, additionals };
    if (answers.length === 0) return;
    const { address, port } = origin;
    this.#out.push({ kind: "response", packet, interface: this.#interface, to: { address, port } });
  }

  /** RFC 6763 §12: what the asker would ask next. */
  #additionals(answers: ReadonlySet<string>): string[] {
    const types = new Set(this.#recordsOf(answers).map(({ type, name }) => (name === META ? "META" : type)));
    const wanted = (record: DnsRecord): boolean => {
      if (record.flush !== true) return false;
      const ofHost = !record.name.endsWith("._udp.local");
      return types.has("PTR") || (ofHost && ["SRV", "A", "AAAA"].some((type) => types.has(type)));
    };
    return [...this.#held].filter(([key, { record }]) => !answers.has(key) && wanted(record)).map(([key]) => key);
  }

  #recordsOf(keys: Iterable<string>): DnsRecord[] {
    return [...keys].flatMap((key) => this.#held.get(key)?.record ?? []);
  }

  #send(answers: DnsRecord[], additionals: DnsRecord[] = []): void {
    this.#out.push({ kind: "response", packet: { answers, additionals }, interface: this.#interface });
  }
}

function isProbe({ authorities = [] }: DnsPacket): boolean {
  return authorities.length > 0;
}

function setOf({ name, type }: DnsRecord): string {
  return `${type} ${name}`;
}

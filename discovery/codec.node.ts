import type { DnsPacket, DnsRecord } from "./records.js";

/** A packet as `dns-packet` takes it: the codec wants Buffers, and writes into what it is given. */
export function encodablePacket({
  questions = [],
  answers = [],
  authorities = [],
  additionals = [],
  id,
}: DnsPacket): unknown {
  const encode = (records: readonly DnsRecord[]): unknown[] =>
    records.map((record) =>
      record.type === "TXT" && Array.isArray(record.data)
        ? { ...record, data: record.data.map((entry: Uint8Array) => Buffer.from(entry)) }
        : { ...record },
    );
  return {
    ...(id !== undefined && { id }),
    questions: questions.map((question) => ({ ...question })),
    answers: encode(answers),
    authorities: encode(authorities),
    additionals: encode(additionals),
  };
}

import { type Figure, median, megabytesPerSecond } from "./figures.js";
import type { Table } from "./rows.js";

export interface Line {
  readonly name: string;
  readonly rounds: number;
  /** Of a bulk row. */
  readonly megabytesPerSecond?: number;
  /** Of an echo row. */
  readonly milliseconds?: number;
  readonly slowest: number;
  readonly fastest: number;
  readonly senderCpu: number;
  readonly receiverCpu: number;
  /** Peak of the resident memory of each process, MiB. */
  readonly senderMiB: number;
  readonly receiverMiB: number;
  readonly details: Readonly<Record<string, number>>;
  /** This row divided by another: the faster is the larger. */
  readonly ratios: Readonly<Record<string, number>>;
}

/** Medians of all rounds of a table, and the ratios between its rows. */
export function summarise(table: Table, figures: ReadonlyMap<string, readonly Figure[]>): readonly Line[] {
  const speed = (name: string): number => middle(figures.get(name) ?? [], (figure) => speedOf(table, figure));
  return table.rows.map(({ name }) => {
    const all = figures.get(name) ?? [];
    const speeds = all.map((figure) => speedOf(table, figure));
    const ratios: Record<string, number> = {};
    for (const other of table.against)
      if (other !== name && figures.has(other)) ratios[other] = speed(name) / speed(other);
    return {
      ...{ name, rounds: all.length, ratios, slowest: Math.min(...speeds), fastest: Math.max(...speeds) },
      ...(table.work.kind === "bulk" ? { megabytesPerSecond: speed(name) } : { milliseconds: 1 / speed(name) }),
      senderCpu: middle(all, (figure) => figure.senderCpu),
      receiverCpu: middle(all, (figure) => figure.receiverCpu),
      senderMiB: middle(all, (figure) => figure.senderMiB),
      receiverMiB: middle(all, (figure) => figure.receiverMiB),
      details: all.at(-1)?.details ?? {},
    };
  });
}

/** MB/s, or connects a millisecond: larger is faster. */
function speedOf(table: Table, figure: Figure): number {
  return table.work.kind === "bulk" ? megabytesPerSecond(table.work.bytes, figure.seconds) : 1 / figure.connectMs;
}

function middle(figures: readonly Figure[], value: (figure: Figure) => number): number {
  return median(figures.map(value));
}

export function print(table: Table, lines: readonly Line[]): string {
  const width = Math.max(...lines.map((line) => line.name.length));
  const text = [`\n${table.title} (medians of ${lines[0]?.rounds ?? 0})`];
  for (const line of lines) {
    const value =
      line.milliseconds === undefined
        ? `${(line.megabytesPerSecond ?? 0).toFixed(1).padStart(8)} MB/s  (${line.slowest.toFixed(0)}..${line.fastest.toFixed(0)})`
        : `${line.milliseconds.toFixed(2).padStart(8)} ms`;
    const cost = `CPU ${line.senderCpu.toFixed(2)}+${line.receiverCpu.toFixed(2)} s, ${line.senderMiB.toFixed(0)}+${line.receiverMiB.toFixed(0)} MiB`;
    const ratios = Object.entries(line.ratios).map(([other, ratio]) => `${ratio.toFixed(2)} x ${other}`);
    text.push(`  ${line.name.padEnd(width)} ${value}  ${[cost, ...ratios].join("; ")}`);
  }
  return text.join("\n");
}

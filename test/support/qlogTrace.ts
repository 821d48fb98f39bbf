import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface QlogEvent {
  readonly time: number;
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>> & {
    readonly header?: { readonly packet_type: string };
    readonly frames?: readonly Readonly<Record<string, unknown>>[];
    readonly trigger?: string;
  };
}

/** One `.sqlog` file, every record of it parsed. */
export class QlogTrace {
  readonly text: string;
  readonly path: string;
  readonly head: Readonly<Record<string, unknown>> & { readonly trace: Readonly<Record<string, unknown>> };
  readonly events: readonly QlogEvent[];

  constructor(path: string) {
    this.path = path;
    this.text = readFileSync(path, "utf8");
    const [head, ...events] = this.text.split("\u001e").slice(1);
    this.head = JSON.parse(head ?? "") as QlogTrace["head"];
    this.events = events.map((record) => JSON.parse(record) as QlogEvent);
  }

  all(name: string, trigger?: string): readonly QlogEvent[] {
    return this.events.filter((event) => event.name === name && (!trigger || event.data.trigger === trigger));
  }

  count(name: string, trigger?: string): number {
    return this.all(name, trigger).length;
  }
}

/** The traces in a folder, those of this role. */
export function tracesIn(folder: string, role: "initiator" | "responder"): readonly QlogTrace[] {
  const names = readdirSync(folder).filter((name) => name.endsWith(`_${role}.sqlog`));
  return names.sort().map((name) => new QlogTrace(join(folder, name)));
}

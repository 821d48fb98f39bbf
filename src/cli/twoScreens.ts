const WIDTH = 38;

/** Two screens side by side as plain text: each call gives the finished lines of one moment. */
export class TwoScreens {
  readonly #titles: readonly [string, string];

  constructor(left: string, right: string) {
    this.#titles = [left, right];
  }

  top(): string[] {
    const [left, right] = this.#titles.map((title) => `─ ${title} `.padEnd(WIDTH + 2, "─"));
    return [`┌${left}┬${right}┐`];
  }

  rule(): string[] {
    const side = "─".repeat(WIDTH + 2);
    return [`├${side}┼${side}┤`];
  }

  bottom(): string[] {
    const side = "─".repeat(WIDTH + 2);
    return [`└${side}┴${side}┘`];
  }

  /** What each screen says at this moment; long text takes several lines. */
  row(left: string, right: string): string[] {
    const [a, b] = [wrapped(left), wrapped(right)];
    return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => {
      return `│ ${(a[i] ?? "").padEnd(WIDTH)} │ ${(b[i] ?? "").padEnd(WIDTH)} │`;
    });
  }
}

/** At words where possible; always at least one line. */
function wrapped(text: string): string[] {
  if (text.length <= WIDTH) return [text];
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (longer.length <= WIDTH) line = longer;
    else {
      if (line !== "") lines.push(line);
      line = word;
      for (; line.length > WIDTH; line = line.slice(WIDTH)) lines.push(line.slice(0, WIDTH));
    }
  }
  return [...lines, line];
}

/** How a person at one screen lets the two devices meet. Chosen on each side by itself, never by the peer (pairing/PROTOCOL.md). */
export type WayName = "compare" | "code" | "link";

/** As every screen calls it. */
export const WAY_TITLES: Readonly<Record<WayName, string>> = {
  compare: "comparing six digits",
  code: "letters typed",
  link: "link scanned",
};

/** What the PC's command line says. */
export interface WayToShow {
  readonly code?: boolean;
  readonly qr?: boolean;
}

export function wayToShow({ code = false, qr = false }: WayToShow): WayName {
  return qr ? "link" : code ? "code" : "compare";
}

export function isWayName(text: string): text is WayName {
  return Object.hasOwn(WAY_TITLES, text);
}

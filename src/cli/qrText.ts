import { encode } from "uqr";

/** What the terminal can draw. */
export interface QrStyle {
  readonly unicode: boolean;
  readonly colours: boolean;
  /** Characters in a line. */
  readonly columns: number;
}

/** Light modules around the code. The standard asks for four; two are enough for what reads screens, and fit more of them. */
const QUIET = 2;
const BLACK_ON_WHITE = "\u001b[30;107m";
const WHITE = "\u001b[107m";
const BLACK = "\u001b[40m";
const RESET = "\u001b[0m";

/** The lines of a QR code, or undefined where none could be read. Without colours the terminal is taken to be dark. */
export function qrLines(text: string, { unicode, colours, columns }: QrStyle): readonly string[] | undefined {
  const { data, size } = encode(text, { ecc: "M", border: QUIET });
  const width = unicode ? size : 2 * size;
  if (width > columns || (!unicode && !colours)) return undefined;
  const rows: string[] = [];
  for (let y = 0; y < size; y += unicode ? 2 : 1) {
    let row = "";
    for (let x = 0; x < size; x++) {
      const upper = data[y]?.[x] === true;
      // An odd number of lines: the half below the last one stays as the terminal is.
      const lower = y + 1 < size ? data[y + 1]?.[x] === true : !colours;
      row += unicode ? halfBlocks(upper, lower, colours) : `${upper ? BLACK : WHITE}  `;
    }
    rows.push(colours ? `${unicode ? BLACK_ON_WHITE : ""}${row}${RESET}` : row);
  }
  return rows;
}

/** Two modules in one character. With colours a drawn half is black on white; without, it is light on the dark terminal. */
function halfBlocks(upper: boolean, lower: boolean, colours: boolean): string {
  const [top, bottom] = colours ? [upper, lower] : [!upper, !lower];
  if (top) return bottom ? "█" : "▀";
  return bottom ? "▄" : " ";
}

/** Whether block characters arrive as such, by what the environment says of it. */
export function drawsUnicode(env: Readonly<Record<string, string | undefined>>, platform: string): boolean {
  if (platform === "win32") return env["WT_SESSION"] !== undefined || env["TERM_PROGRAM"] !== undefined;
  if (env["TERM"] === "linux" || env["TERM"] === "dumb") return false;
  return /utf-?8/i.test(env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "");
}

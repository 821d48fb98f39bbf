import { type LinkSettings, openLab } from "./lab/lab.js";
import { type EndlessFlow, fairnessIndex, HANDFAST, measureShares, TCP } from "./shares.js";

/** Queues in KB: from two thirds of a bandwidth-delay product to two. */
const LINKS: readonly (readonly [string, LinkSettings])[] = [
  ["10 Mbit/s, 20 ms", { rate: 10, delay: 10, queue: 20 }],
  ["50 Mbit/s, 20 ms", { rate: 50, delay: 10, queue: 85 }],
  ["50 Mbit/s, 20 ms, deep queue", { rate: 50, delay: 10, queue: 255 }],
  ["100 Mbit/s, 40 ms", { rate: 100, delay: 20, queue: 340 }],
];

/** What part of a link our flow has beside TCP with CUBIC, the first of two of ours, and how even four of ours are. */
export interface SharedLink {
  readonly link: string;
  readonly besideTcp: number;
  readonly firstOfTwo: number;
  readonly evenness: number;
}

export async function measureSharedLinks(quick: boolean): Promise<readonly SharedLink[]> {
  const window = quick ? { fromMs: 3000, toMs: 6000 } : { fromMs: 5000, toMs: 12_000 };
  const lines: SharedLink[] = [];
  for (const [link, settings] of LINKS) {
    const shares = async (flows: readonly EndlessFlow[]): Promise<readonly number[]> => {
      await using lab = await openLab(settings);
      return await measureShares(flows, lab.place, window);
    };
    const [besideTcp = 0] = await shares([HANDFAST, TCP]);
    const [firstOfTwo = 0] = await shares([HANDFAST, HANDFAST]);
    lines.push({ link, besideTcp, firstOfTwo, evenness: fairnessIndex(await shares(new Array(4).fill(HANDFAST))) });
  }
  return lines;
}

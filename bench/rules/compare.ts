// Two files of `line<TAB>rule id`, both by line and then id: the same matches, or the first difference.
import { readFileSync } from 'node:fs';

export interface Difference {
  readonly event_line: number;
  /** Ids that only one of the two has. */
  readonly only_first: readonly string[];
  readonly only_second: readonly string[];
}

/** Null when both hold the same matches. */
export function firstDifference(first: string, second: string): Difference | null {
  const [a, b] = [readFileSync(first), readFileSync(second)];
  if (a.equals(b)) return null;
  const [left, right] = [byLine(a), byLine(b)];
  const numbers = [...new Set([...left.keys(), ...right.keys()])].sort((x, y) => x - y);
  for (const number of numbers) {
    const [mine, theirs] = [left.get(number) ?? [], right.get(number) ?? []];
    if (mine.join() === theirs.join()) continue;
    return {
      event_line: number,
      only_first: mine.filter((id) => !theirs.includes(id)).slice(0, 10),
      only_second: theirs.filter((id) => !mine.includes(id)).slice(0, 10),
    };
  }
  // The same matches in another order or twice would be a fault of whoever wrote them.
  return { event_line: 0, only_first: [], only_second: [] };
}

function byLine(bytes: Buffer): Map<number, string[]> {
  const lines = new Map<number, string[]>();
  for (const text of bytes.toString('utf8').split('\n')) {
    const tab = text.indexOf('\t');
    if (tab < 0) continue;
    const number = Number(text.slice(0, tab));
    const ids = lines.get(number);
    if (ids === undefined) lines.set(number, [text.slice(tab + 1)]);
    else ids.push(text.slice(tab + 1));
  }
  return lines;
}

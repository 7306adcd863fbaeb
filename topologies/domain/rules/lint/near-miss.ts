// Names that were probably meant to be others: `asset_tag` for asset_tags.

/** Nearest of `names` within a distance that a typing error makes; undefined when none is near, or the name is right. */
export function nearestName(name: string, names: readonly string[]): string | undefined {
  const limit = name.length < 5 ? 1 : 2;
  let best: string | undefined;
  let least = limit + 1;
  for (const other of names) {
    if (other === name) return undefined;
    if (Math.abs(other.length - name.length) >= least) continue;
    const far = distance(name.toLowerCase(), other.toLowerCase());
    if (far < least) [best, least] = [other, far];
  }
  return best;
}

/** Damerau-Levenshtein distance with adjacent transpositions (optimal string alignment). */
export function distance(a: string, b: string): number {
  const width = b.length + 1;
  let before: number[] = [];
  let above = Array.from({ length: width }, (_, index) => index);
  for (let row = 1; row <= a.length; row += 1) {
    const line = [row];
    for (let column = 1; column < width; column += 1) {
      const same = a[row - 1] === b[column - 1] ? 0 : 1;
      let least = Math.min(
        (above[column] ?? 0) + 1,
        (line[column - 1] ?? 0) + 1,
        (above[column - 1] ?? 0) + same,
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1])
        least = Math.min(least, (before[column - 2] ?? 0) + 1);
      line.push(least);
    }
    before = above;
    above = line;
  }
  return above[width - 1] ?? 0;
}

/** The candidate that `text` was probably meant to be; `undefined` if none is close. Case is ignored. */
export function closest(text: string, candidates: Iterable<string>): string | undefined {
  const meant = text.toLowerCase();
  let best: string | undefined;
  // A third of the letters may be wrong, as in commander's own suggestions for flags.
  let bestDistance = Math.max(1, Math.floor(meant.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(meant, candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** The least number of letters to insert, delete, replace or swap with their neighbour. */
export function editDistance(from: string, to: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const isSame = from[i - 1] === to[j - 1];
      const isSwap = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      row[j] = Math.min(
        (previous[j] as number) + 1,
        (row[j - 1] as number) + 1,
        (previous[j - 1] as number) + (isSame ? 0 : 1),
        isSwap ? (beforePrevious[j - 2] as number) + 1 : Infinity,
      );
    }
    beforePrevious = previous;
    previous = row;
  }
  return previous[to.length] as number;
}

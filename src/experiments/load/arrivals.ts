/** When requests are due, in ms since the load began; each within the `loadS` seconds that it lasts. */
export type Arrivals = readonly number[];

/** One after the other in equal distances, the first after `phaseMs`. */
export function constantArrivals(ratePerS: number, loadS: number, phaseMs = 0): Arrivals {
  return ticks(1000 / ratePerS, loadS, () => phaseMs);
}

/** One in each period, at a moment drawn anew each time: whoever else keeps that period is met in every phase. */
export function randomPhaseArrivals(
  ratePerS: number,
  loadS: number,
  random: () => number,
): Arrivals {
  const periodMs = 1000 / ratePerS;
  return ticks(periodMs, loadS, () => periodMs * random());
}

/** Each independent of all others, as from a great many clients: a Poisson process. */
export function poissonArrivals(ratePerS: number, loadS: number, random: () => number): Arrivals {
  const dueMs: number[] = [];
  // 1 - random() is never 0.
  const gapMs = (): number => (-Math.log(1 - random()) * 1000) / ratePerS;
  for (let atMs = gapMs(); atMs < loadS * 1000; atMs += gapMs()) dueMs.push(atMs);
  return dueMs;
}

function ticks(periodMs: number, loadS: number, phaseMs: () => number): Arrivals {
  const dueMs: number[] = [];
  for (let tick = 0; tick * periodMs < loadS * 1000; tick++) {
    const atMs = tick * periodMs + phaseMs();
    if (atMs < loadS * 1000) dueMs.push(atMs);
  }
  return dueMs;
}

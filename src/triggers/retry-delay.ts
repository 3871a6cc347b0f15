/** The waits between tries: each twice the one before, up to the longest. Milliseconds. */
export interface RetryWaits {
  readonly first: number;
  readonly longest: number;
}

/** How long to wait after `failed` tries that failed before this one, with a random part of a half. */
export function retryDelayMs(failed: number, waits: RetryWaits, random: () => number): number {
  const most = Math.min(waits.longest, waits.first * 2 ** Math.min(failed, 30));
  return most / 2 + (most / 2) * random();
}

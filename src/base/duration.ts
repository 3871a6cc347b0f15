const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Parses a duration such as `200ms`, `5s`, `10m`, `2h` or `7d` into milliseconds.
 * Returns `undefined` for anything else; a bare number has no unit and is refused.
 */
export function parseDurationMs(text: string): number | undefined {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text);
  if (!match) return undefined;
  return Math.round(Number(match[1]) * (UNITS_MS[match[2] as string] as number));
}

/** Writes milliseconds as the shortest exact duration, the inverse of {@link parseDurationMs}. */
export function formatDurationMs(durationMs: number): string {
  for (const unit of ["d", "h", "m", "s"]) {
    const size = UNITS_MS[unit] as number;
    if (durationMs >= size && durationMs % size === 0) return `${durationMs / size}${unit}`;
  }
  return `${durationMs}ms`;
}

/** A write that was acknowledged. */
export interface SeenWrite {
  /** Its place among the writes. */
  readonly n: number;
  readonly value: string;
  /** When the writer had the answer. */
  readonly endMs: number;
}

/** A read that was answered. */
export interface SeenRead {
  readonly value: string;
  /** When the reader had the answer. */
  readonly endMs: number;
}

/** How stale a read was. */
export interface StaleRead {
  readonly endMs: number;
  readonly stalenessMs: number;
}

/**
 * For each read, how long the value had been overwritten already, as its writer saw it: from the
 * answer to the next write until the end of the read, and 0 if that came later. Reads of values that
 * nobody wrote are left out, such as those before the first write.
 */
export function stalenessOf(
  writes: readonly SeenWrite[],
  reads: readonly SeenRead[],
): readonly StaleRead[] {
  const inOrder = [...writes].sort((one, other) => one.n - other.n);
  const nextEndMs = new Map<string, number>();
  for (const [at, { value }] of inOrder.entries()) {
    nextEndMs.set(value, inOrder[at + 1]?.endMs ?? Infinity);
  }
  return reads.flatMap(({ value, endMs }) => {
    const overwrittenMs = nextEndMs.get(value);
    if (overwrittenMs === undefined) return [];
    return [{ endMs, stalenessMs: Math.max(0, endMs - overwrittenMs) }];
  });
}

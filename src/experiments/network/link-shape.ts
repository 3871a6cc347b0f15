/** What a link of an experiment is like; the same both ways. */
export interface LinkShape {
  /** How long a byte is on its way, beside the time that it waits for others. */
  readonly delayMs: number;
  /** Up to so much is added to it, drawn anew for each piece; the order is kept. */
  readonly jitterMs?: number;
  /** What all connections together may send one way, headers included; `undefined` = any amount. */
  readonly bitsPerS?: number;
  /** Bytes that may be on their way or wait, one way; then senders are held. */
  readonly backlogBytesMax?: number;
}

/** The links of the paper (section 4.1). */
export const PAPER_LINKS = {
  clientToEdge: { delayMs: 1, bitsPerS: 10_000_000 },
  edgeToEdge: { delayMs: 10, bitsPerS: 100_000_000 },
  edgeToCloud: { delayMs: 25, bitsPerS: 100_000_000 },
} as const satisfies Record<string, LinkShape>;

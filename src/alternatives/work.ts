import type { RequestShape } from "../bench/wrk.js";

/** What every contender does, each in its own idiom. */
export const WORKS = ["no-op", "average", "read-1kb", "read-1mb"] as const;

/** The name of a piece of work, as `--only` takes it. */
export type Work = (typeof WORKS)[number];

const EMPTY: RequestShape = { method: "GET" };
const READING: RequestShape = { method: "POST", body: "21.5", contentType: "text/plain" };

/** How the work is asked for; a contender may need another form of the same. */
export const SHAPES: Readonly<Record<Work, RequestShape>> = {
  "no-op": EMPTY,
  average: READING,
  "read-1kb": EMPTY,
  "read-1mb": EMPTY,
};

/** In words, for people. */
export const TITLES: Readonly<Record<Work, string>> = {
  "no-op": "No-op: answers `ok`",
  average:
    "Moving average: reads the pointer, writes the reading and the pointer, scans ten readings",
  "read-1kb": "Reads a value of 1 KB and answers its length",
  "read-1mb": "Reads a value of 1 MB and answers its length",
};

/** Bytes of the value that is read; 0 where none is. */
export const VALUE_BYTES: Readonly<Record<Work, number>> = {
  "no-op": 0,
  average: 0,
  "read-1kb": 1000,
  "read-1mb": 1_000_000,
};

/**
 * Checks the first answer, so that only what does the same work is measured. All averages begin with
 * the readings 20…29, of which the oldest is replaced by 21.5. @throws Error when it is another one
 */
export function checkFirstAnswer(work: Work, body: string): void {
  const expected = EXPECTED[work];
  // Some answer with JSON whatever the type.
  const value = parse(body);
  const isRight =
    typeof expected === "string"
      ? String(value) === expected
      : isAverage(value) &&
        value.count === expected.count &&
        Math.abs(value.average - expected.average) < 1e-9;
  if (!isRight) throw new Error(`${work} answered ${body.slice(0, 200)}`);
}

interface Average {
  readonly count: number;
  readonly average: number;
}

const EXPECTED: Readonly<Record<Work, string | Average>> = {
  "no-op": "ok",
  average: { count: 11, average: 24.65 },
  "read-1kb": "1000",
  "read-1mb": "1000000",
};

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}

function isAverage(value: unknown): value is Average {
  return typeof value === "object" && value !== null && "count" in value && "average" in value;
}

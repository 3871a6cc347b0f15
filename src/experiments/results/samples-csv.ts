import type { Sample } from "./point.js";

const HEADER = "series,at_ms,value_ms,status";
const SERIES = /^[a-z][a-z0-9-]*$/;
/** Parts of a millisecond that are kept; clocks are no finer. */
const DIGITS = 4;

/** Samples as CSV, a line each under a heading. @throws Error for a sample that could not be read again */
export function samplesToCsv(samples: readonly Sample[]): string {
  const lines = [HEADER];
  for (const sample of samples) lines.push(lineOf(sample));
  return `${lines.join("\n")}\n`;
}

/** The inverse of {@link samplesToCsv}. @throws Error that names the line that cannot be read */
export function samplesFromCsv(text: string): Sample[] {
  const lines = text.split("\n");
  if (lines[0] !== HEADER) throw new Error(`line 1 is not "${HEADER}"`);
  if (lines.pop() !== "") throw new Error("the last line is not complete");
  const samples: Sample[] = [];
  for (let at = 1; at < lines.length; at++) {
    samples.push(sampleOf(lines[at] as string, at + 1));
  }
  return samples;
}

function lineOf({ series, atMs, valueMs, status }: Sample): string {
  const isFine =
    SERIES.test(series) &&
    Number.isFinite(atMs) &&
    Number.isFinite(valueMs) &&
    Number.isInteger(status);
  if (!isFine) {
    throw new Error(`no sample: ${JSON.stringify({ series, atMs, valueMs, status })}`);
  }
  return `${series},${decimal(atMs)},${decimal(valueMs)},${status}`;
}

function decimal(value: number): string {
  return String(Number(value.toFixed(DIGITS)));
}

function sampleOf(line: string, lineNumber: number): Sample {
  const [series = "", at = "", value = "", status = "", ...more] = line.split(",");
  const sample = { series, atMs: Number(at), valueMs: Number(value), status: Number(status) };
  const isFine =
    more.length === 0 &&
    SERIES.test(series) &&
    at !== "" &&
    value !== "" &&
    status !== "" &&
    Number.isFinite(sample.atMs + sample.valueMs) &&
    Number.isInteger(sample.status);
  if (!isFine) throw new Error(`line ${lineNumber} is no sample: "${line.slice(0, 80)}"`);
  return sample;
}

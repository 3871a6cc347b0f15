import { readFile } from "node:fs/promises";

/** One day's observation. */
export interface Reading {
  readonly date: string;
  readonly temperatureMaxC: number;
}

/** Reads the observations of `examples/weather`, oldest first. */
export async function loadReadings(csvPath: string): Promise<Reading[]> {
  const [header = "", ...lines] = (await readFile(csvPath, "utf8")).trim().split("\n");
  const columns = header.split(",");
  const dateAt = columns.indexOf("date");
  const temperatureAt = columns.indexOf("temp_max");
  return lines.map((line) => {
    const fields = line.split(",");
    return { date: fields[dateAt] ?? "", temperatureMaxC: Number(fields[temperatureAt]) };
  });
}

/** Mean of the last `window` temperatures: what the functions must arrive at. */
export function expectedAverage(readings: readonly Reading[], window: number): number {
  const last = readings.slice(-window);
  return last.reduce((sum, reading) => sum + reading.temperatureMaxC, 0) / last.length;
}

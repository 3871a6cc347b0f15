/** The paper's moving average (§4.1): stores a reading and returns the mean of the ten latest. */
import { kv } from "enoki";

const WINDOW = 10;

export async function call(reading: string): Promise<{ count: number; average: number }> {
  const latest = Number(await kv.get<string>("latest", "-1")) + 1;
  await Promise.all([
    kv.set(`reading/${latest % WINDOW}`, Number(reading)),
    kv.set("latest", String(latest)),
  ]);
  const readings: number[] = [];
  for await (const [, value] of kv.scan<number>({ prefix: "reading/" })) readings.push(value);
  return { count: latest + 1, average: readings.reduce((a, b) => a + b, 0) / readings.length };
}

import { kv } from "enoki";

const WINDOW = 10;

/**
 * The moving average of the paper (Figure 3), as one writes it here: what does not depend on each other
 * goes together, so that it takes two trips to the store. Takes `CLIENT-VALUE`.
 */
export async function call(i: string): Promise<string> {
  const [client, value] = i.split("-") as [string, string];
  const [latest, stored] = await Promise.all([
    kv.get<string>(`latest/${client}`, "0"),
    kv.scan<string>({ prefix: `readings/${client}/`, limit: WINDOW }).toArray(),
  ]);
  const place = Number(latest);
  await Promise.all([
    kv.set(`readings/${client}/${place}`, value),
    kv.set(`latest/${client}`, String((place + 1) % WINDOW)),
  ]);
  const readings = [...stored.map(([, text]) => Number(text)), Number(value)];
  return (readings.reduce((sum, reading) => sum + reading, 0) / readings.length).toFixed(2);
}

import * as enoki from "enoki";

interface Weather {
  readonly temperature: number;
  readonly humidity: number;
  readonly wind: number;
  readonly rain: boolean;
}

/** Scores how bad the road is, 0 to 5, and waits until the lights know. */
export async function call({ temperature, humidity, wind, rain }: Weather) {
  const bad = [temperature < 4, humidity > 75, wind > 15, wind > 25, rain];
  const condition = bad.filter(Boolean).length;
  await enoki.call("light-phase-calculation", { condition, at: Date.now() });
  return { condition };
}

import * as enoki from "enoki";

/** What a weather station tells: °C, percent, km/h. */
interface Weather {
  readonly temperature: number;
  readonly humidity: number;
  readonly wind: number;
  readonly rain: boolean;
}

const BOUNDS = { temperature: [-273.15, 100], humidity: [0, 100], wind: [0, 150] } as const;

/** Sends weather that matters to a road on its way; nobody waits for what becomes of it. */
export async function call(weather: Weather) {
  for (const [field, [least, most]] of Object.entries(BOUNDS)) {
    const value: unknown = weather[field as keyof typeof BOUNDS];
    if (typeof value !== "number" || !(value >= least && value <= most)) {
      return { error: `${field} must lie between ${least} and ${most}` };
    }
  }
  if (typeof weather.rain !== "boolean") return { error: "rain must be true or false" };
  if (weather.rain) await enoki.send("road-condition", { ...weather });
  return { accepted: weather.rain };
}

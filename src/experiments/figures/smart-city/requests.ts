import type { City, Kind } from "../../results/by-figure.js";

/** One request. */
export interface CityRequest {
  readonly atMs: number;
  readonly kind: Kind;
  /** Of the sensors' readings, half are such that their filter ends them. */
  readonly isFiltered: boolean;
  readonly body: string;
}

/** Which requests are sent, and when. */
export interface CityLoad {
  /** `steady`: as many as the paper describes; `generator`: as the prototype's generator sent them. */
  readonly arrivals: City["arrivals"];
  readonly loadS: number;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/** What the paper describes. */
export const STEADY_PER_S = 5;
/** Of 100 requests (paper, section 5). */
const WEIGHTS: Readonly<Record<Kind, number>> = { traffic: 45, weather: 10, object: 45 };
/** As large as the picture that the prototype sent; its pixels begin at 54, and black is no ambulance. */
const PICTURE_BYTES = 11_903;

/**
 * Draws all requests of a load. The generator of the prototype waited 1 s ÷ weight after each request
 * where it was to wait 1 s ÷ rate, so it sent about 33 a second.
 */
export function drawRequests({ arrivals, loadS, random }: CityLoad): readonly CityRequest[] {
  const bodies = bodiesOf();
  const requests: CityRequest[] = [];
  for (let atMs = 0; atMs < loadS * 1000;) {
    const kind = drawKind(random());
    const isFiltered = kind !== "object" && random() < 0.5;
    requests.push({ atMs, kind, isFiltered, body: bodies[kind](isFiltered) });
    atMs += 1000 / (arrivals === "steady" ? STEADY_PER_S : WEIGHTS[kind]);
  }
  return requests;
}

/** Bytes of the body of such a request. */
export function bodyBytesOf(kind: Kind): number {
  return bodiesOf()[kind](false).length;
}

function drawKind(drawn: number): Kind {
  let left = drawn * 100;
  const kinds = Object.entries(WEIGHTS) as [Kind, number][];
  return kinds.find(([, weight]) => (left -= weight) < 0)?.[0] ?? "object";
}

/** As the prototype's generator has them; some are such that a filter ends them. */
function bodiesOf(): Readonly<Record<Kind, (isFiltered: boolean) => string>> {
  const picture = JSON.stringify({ image: Buffer.alloc(PICTURE_BYTES).toString("base64") });
  const weather = { temperature: 10, humidity: 50, wind: 5 };
  const car = { plate: "OD DI 98231", direction: 4 };
  return {
    object: () => picture,
    weather: (isFiltered) => JSON.stringify({ ...weather, rain: !isFiltered }),
    traffic: (isFiltered) =>
      JSON.stringify({ carDirection: { ...car, speed: isFiltered ? 800 : 10 } }),
  };
}

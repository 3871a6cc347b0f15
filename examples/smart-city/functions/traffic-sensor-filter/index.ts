import * as enoki from "enoki";

/** What a traffic sensor tells of one car. */
interface CarDirection {
  readonly plate: string;
  /** 0 to 4. */
  readonly direction: number;
  /** In m/s; a car that backs up has a negative one. */
  readonly speed: number;
}

const PLATE = /^[A-Z]{2} [A-Z]{2} \d{1,7}$/i;
/** 140 km/h: whatever is faster is a fault of the sensor. */
const SPEED_MAX = 38.8889;
const SPEED_MIN = -20;

/** Lets sensible readings through to the plan of movements, and says whether this was one. */
export async function call({ carDirection }: { readonly carDirection?: unknown }) {
  if (!isCarDirection(carDirection)) return { accepted: false };
  await enoki.call("movement-plan", { carDirection });
  return { accepted: true };
}

function isCarDirection(car: unknown): car is CarDirection {
  if (typeof car !== "object" || car === null) return false;
  const { plate, direction, speed } = car as Record<keyof CarDirection, unknown>;
  return (
    typeof plate === "string" &&
    PLATE.test(plate) &&
    isWithin(direction, 0, 4) &&
    isWithin(speed, SPEED_MIN, SPEED_MAX)
  );
}

function isWithin(value: unknown, least: number, most: number): boolean {
  return typeof value === "number" && value >= least && value <= most;
}

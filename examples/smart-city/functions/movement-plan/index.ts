import * as enoki from "enoki";
import { kv } from "enoki";

interface Car {
  readonly plate: string;
  readonly direction: number;
  readonly speed: number;
}

/** One of both: a car that a sensor has seen, or all that a camera sees. */
interface Movement {
  readonly carDirection?: Car;
  readonly objects?: readonly object[];
}

const CARS_MAX = 12;

/** Keeps the latest cars on the crossing, on the node where it runs, and lets the lights know. */
export async function call({ carDirection, objects }: Movement) {
  const plan = await kv.update<Car[]>("cars", (cars = []) => {
    if (objects) return cars.slice(0, objects.length);
    if (!carDirection) return cars;
    const others = cars.filter(({ plate }) => plate !== carDirection.plate);
    return [carDirection, ...others].slice(0, CARS_MAX);
  });
  await enoki.send("light-phase-calculation", { plan: plan ?? [], at: Date.now() });
  return {};
}

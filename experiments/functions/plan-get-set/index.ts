import * as enoki from "enoki";
import { kv } from "enoki";

interface Car {
  readonly plate: string;
  readonly direction: number;
  readonly speed: number;
}

interface Movement {
  readonly carDirection?: Car;
  readonly objects?: readonly object[];
}

const CARS_MAX = 12;

/**
 * The plan of movements as the prototype of the paper has it: a read and then a write, so that of two
 * calls at once one may be lost. `examples/smart-city` has the one that loses nothing.
 */
export async function call({ carDirection, objects }: Movement) {
  const plan = planOf(await kv.get<Car[]>("cars", []), { carDirection, objects });
  await kv.set("cars", plan);
  await enoki.send("light-phase-calculation", { plan, at: Date.now() });
  return {};
}

function planOf(cars: readonly Car[], { carDirection, objects }: Movement): readonly Car[] {
  if (objects) return cars.slice(0, objects.length);
  if (!carDirection) return cars;
  const others = cars.filter(({ plate }) => plate !== carDirection.plate);
  return [carDirection, ...others].slice(0, CARS_MAX);
}

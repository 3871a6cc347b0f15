import { EnokiError, kv } from "enoki";

interface Car {
  readonly plate: string;
  readonly speed: number;
}

interface Emergency {
  readonly active: boolean;
  readonly type: string | null;
}

/** One of three, or none to read the lights. `at`: when it was so, in ms since 1970. */
interface Input {
  readonly plan?: readonly Car[];
  readonly emergency?: Emergency;
  readonly condition?: number;
  readonly at?: number;
}

/** What has come in, with its time. */
interface Known<T> {
  readonly at: number;
  readonly value: T;
}

interface Lights {
  readonly lights: readonly ("red" | "yellow" | "green")[];
  readonly blink: boolean;
}

/** What a phase leads to; `warning`: an emergency has the right of way. */
type Aim = "warning" | "green" | "red";

/** 50 km/h in m/s. Nobody gets green while somebody is faster. */
const SPEED_MAX = 50 / 3.6;
/** A phase that was never ended, because its node died, holds the lights no longer than this. */
const LOCK_TTL = "30s";
const WARNING: Lights = { lights: ["yellow"], blink: true };
/** What a phase of one unit takes; a road of condition 0 needs two, one of 5 four and a half. */
const UNIT_MS = Number(process.env["PHASE_UNIT_MS"] ?? 1000);

/** Decides on the traffic lights from what has come in from all sides. */
export async function call(
  { plan, emergency, condition, at = Date.now() }: Input,
  { invocationId }: { readonly invocationId: string },
) {
  if (plan) await keepLatest("plan", at, plan);
  else if (emergency) await keepLatest("emergency", at, emergency);
  else if (condition !== undefined) await keepLatest("condition", at, condition);
  else return (await kv.get<Lights>("lights")) ?? { lights: ["red"], blink: false };
  // Whoever comes while the lights are another call's leaves it to that one, so it looks again when it
  // has let go of them: they show the latest, whichever of the two was faster.
  while (await takeLock(invocationId)) {
    let shown: Aim;
    try {
      shown = await changeLights();
    } finally {
      await releaseLock(invocationId);
    }
    if (shown === (await aim())) break;
  }
  return {};
}

/** Messages may overtake one another; what was so before is not put over what is so now. */
async function keepLatest(key: string, at: number, value: object | number): Promise<void> {
  await kv.update<Known<unknown>>(key, (known) =>
    known && known.at > at ? undefined : { at, value },
  );
}

async function latest<T>(key: string): Promise<T | undefined> {
  return (await kv.get<Known<T>>(key))?.value;
}

/** What the lights are to show by all that is known. */
async function aim(): Promise<Aim> {
  if ((await latest<Emergency>("emergency"))?.active === true) return "warning";
  const cars = (await latest<Car[]>("plan")) ?? [];
  return cars.length > 0 && cars.every(({ speed }) => speed <= SPEED_MAX) ? "green" : "red";
}

/** Leads the lights through one phase, and returns what they show at its end. */
async function changeLights(): Promise<Aim> {
  const first = await aim();
  if (first === "warning") return show("warning");
  await kv.set("lights", {
    lights: first === "green" ? ["yellow", "red"] : ["yellow"],
    blink: false,
  });
  const condition = (await latest<number>("condition")) ?? 0;
  // An emergency does not wait for the end of a phase: it is looked for twice in each unit.
  for (let step = 0; step < condition + 4; step++) {
    await new Promise((resolve) => setTimeout(resolve, UNIT_MS / 2));
    if ((await aim()) === "warning") return show("warning");
  }
  // Green only if it was announced, and may still be given.
  return show(first === "green" ? await aim() : "red");
}

async function show(shown: Aim): Promise<Aim> {
  await kv.set("lights", shown === "warning" ? WARNING : { lights: [shown], blink: false });
  return shown;
}

/**
 * One call at a time changes the lights; to take the lock is one step, so that no two have it. A call
 * that runs again, because its node died, has it still.
 */
async function takeLock(owner: string): Promise<boolean> {
  try {
    await kv.set("lock", owner, { ifAbsent: true, ttl: LOCK_TTL });
    return true;
  } catch (error) {
    if (!(error instanceof EnokiError) || error.code !== "ENOKI_VERSION_CONFLICT") throw error;
    return (await kv.get<string>("lock")) === owner;
  }
}

/** Gives it back, unless it has run out and is another's. */
async function releaseLock(owner: string): Promise<void> {
  await kv.update<string>("lock", (holder) => (holder === owner ? kv.DELETE : undefined));
}

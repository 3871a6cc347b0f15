import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { Resources } from "../../../bench/resources.js";
import { functionFolder } from "../../../bench/servers.js";
import type { City, Kind } from "../../results/by-figure.js";
import type { Deployment } from "../../../bench/deployment.js";
import { CLOUD, edgeName } from "../../testbed/places.js";

/** How the smart city is deployed. */
export interface CityOptions {
  readonly resources: Resources;
  /** Where the plan of movements lies. */
  readonly store: City["store"];
  /** `get and set`: as in the prototype; `update`: as in `examples/smart-city`, which loses nothing. */
  readonly plan: City["plan"];
}

/** The functions that clients call. */
export const ENTRIES: Readonly<Record<Kind, string>> = {
  object: "object-recognition",
  traffic: "traffic-sensor-filter",
  weather: "weather-sensor-filter",
};

const EDGE = edgeName(1);
const AT_EDGE = ["emergency-detection", "movement-plan", ...Object.values(ENTRIES)];
const IN_CLOUD = ["light-phase-calculation", "traffic-statistics", "road-condition"];

/**
 * Takes the time inside of the function, from the call of its handler to its result, by a clock in the
 * instance, and says it with the result. why so: it costs two looks at a clock, while spans and logs
 * would cost messages, and metrics of the node include the way to the instance.
 */
const TIMED_HANDLER = `import { call as timed } from "./timed.ts";
export async function call(input, ctx) {
  const begunMs = performance.now();
  const result = await timed(input, ctx);
  return { result, inFunctionMs: performance.now() - begunMs };
}
`;

/** All functions where the prototype had them: only where the plan of movements lies differs. */
export async function cityOf(options: CityOptions): Promise<readonly Deployment[]> {
  const entries = new Set(Object.values(ENTRIES));
  const atEdge = AT_EDGE.map(async (name) => ({
    name,
    folder: entries.has(name)
      ? await timedFolder(options.resources, name)
      : folderOf(name, options),
    nodes: [EDGE] as const,
    data: `at:${name === "movement-plan" && options.store === "cloud" ? CLOUD : EDGE}`,
  }));
  const inCloud = IN_CLOUD.map((name) => ({
    name,
    folder: folderOf(name, options),
    nodes: [CLOUD] as const,
    data: `at:${CLOUD}`,
  }));
  // Those first that others send to.
  return [...inCloud, ...(await Promise.all(atEdge))];
}

function folderOf(name: string, { plan }: CityOptions): string {
  return name === "movement-plan" && plan === "get and set"
    ? functionFolder("experiments/functions/plan-get-set")
    : functionFolder(`examples/smart-city/functions/${name}`);
}

/** The same function behind {@link TIMED_HANDLER}. */
async function timedFolder(resources: Resources, name: string): Promise<string> {
  const folder = join(await resources.makeFolder(), name);
  await mkdir(folder);
  const code = functionFolder(`examples/smart-city/functions/${name}/index.ts`);
  await copyFile(code, join(folder, "timed.ts"));
  await writeFile(join(folder, "index.ts"), TIMED_HANDLER);
  return folder;
}

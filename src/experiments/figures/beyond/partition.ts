import { setTimeout as delay } from "node:timers/promises";

import type { Experiment } from "../../experiment.js";
import { PLACEMENTS, PLACES, type Place, type Placement } from "../../results/by-figure.js";
import { CLOUD, edgeName } from "../../testbed/places.js";
import { Testbed } from "../../testbed/testbed.js";
import { repeated, type AtScale, type Extent, type Setting } from "../repeated.js";
import { replicationAroundS, runReplication } from "../replication.js";
import { cityOf } from "../smart-city/application.js";
import { cityAroundS, runCity } from "../smart-city/run-city.js";

const EXTENT: AtScale<Extent> = {
  tiny: { repeats: 1, loadS: 3, cutS: 0 },
  short: { repeats: 3, loadS: 9, cutS: 0 },
  full: { repeats: 3, loadS: 180, cutS: 0 },
};

const EDGES = [edgeName(1), edgeName(2)] as const;

/** What a point of it is: of Figure 6 with random phases, or of Figure 8 as the paper describes it. */
type Parameters =
  | { readonly work: "replication"; readonly data: Placement }
  | { readonly work: "smart city"; readonly store: Place };

/**
 * Figures 6 and 8 with a partition: in the second third of the load nothing goes from node to node, nor
 * to the naming service, while clients still reach the node next to them.
 */
export const PARTITION: Experiment = {
  figure: "partition",
  title: "Figures 6 and 8 with the nodes cut off from each other in the middle",
  aroundS: (point) => {
    const parameters = point.parameters as Parameters;
    return parameters.work === "replication"
      ? replicationAroundS(point, parameters.data, EDGES.length)
      : cityAroundS(point, { store: parameters.store, arrivals: "steady", plan: "get and set" });
  },
  points: (scale) =>
    repeated("partition", EXTENT[scale], scale === "tiny" ? settings().slice(1, 2) : settings()),
  open: async ({ resources }) => {
    const testbed = await Testbed.open({ resources, edges: EDGES.length });
    return async (point, random) => {
      const meanwhile = (): Promise<void> => partition(testbed, point.loadS);
      const parameters = point.parameters as Parameters;
      if (parameters.work === "replication") {
        const { data } = parameters;
        const run = { testbed, point, random, data, edges: EDGES, meanwhile };
        return await runReplication({ ...run, phase: "random" });
      }
      const { store } = parameters;
      const functions = await cityOf({ resources, store, plan: "get and set" });
      const run = { testbed, point, random, functions, store, meanwhile };
      return await runCity({ ...run, arrivals: "steady" });
    };
  },
};

function settings(): readonly Setting[] {
  return [
    ...PLACEMENTS.map((data) => ({
      name: `replication-${data}`,
      parameters: { work: "replication", data },
    })),
    ...PLACES.map((store) => ({
      name: `city-${store}`,
      parameters: { work: "smart city", store },
    })),
  ];
}

/** Cuts all links between nodes for the second third of the load. */
async function partition(testbed: Testbed, loadS: number): Promise<void> {
  const { network } = testbed;
  const pairs = [
    [EDGES[0], EDGES[1]],
    [CLOUD, EDGES[0]],
    [CLOUD, EDGES[1]],
  ] as const;
  await delay((loadS * 1000) / 3);
  await Promise.all(pairs.map(([left, right]) => network.cut(left, right)));
  await delay((loadS * 1000) / 3);
  await Promise.all(pairs.map(([left, right]) => network.mend(left, right)));
  // The next point needs them together again.
  await testbed.together();
}

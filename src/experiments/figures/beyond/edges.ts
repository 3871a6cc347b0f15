import { Resources } from "../../../bench/resources.js";
import type { Experiment } from "../../experiment.js";
import type { Scale } from "../../results/point.js";
import { edgeName } from "../../testbed/places.js";
import { Testbed } from "../../testbed/testbed.js";
import { repeated, type AtScale, type Extent } from "../repeated.js";
import { RATE_PER_S, runReplication } from "../replication.js";

const EXTENT: AtScale<Extent> = {
  tiny: { repeats: 1, loadS: 1, cutS: 0 },
  short: { repeats: 3, loadS: 5, cutS: 0.5 },
  full: { repeats: 3, loadS: 120, cutS: 10 },
};

const COUNTS: AtScale<readonly number[]> = {
  tiny: [2],
  short: [1, 2, 4, 8, 16],
  full: [1, 2, 4, 8, 16],
};

/** Figure 6, replicated and with random phases, by the number of edges that all have the data. */
export const EDGES: Experiment = {
  figure: "edges",
  title: "Latency and lag of replicated data by the number of edges",
  points: (scale: Scale) =>
    repeated(
      "edges",
      EXTENT[scale],
      COUNTS[scale].map((edges) => ({
        name: `edges-${edges}`,
        parameters: { edges, data: "replicated", phase: "random", ratePerS: RATE_PER_S },
      })),
    ),
  open:
    async ({ resources: around }) =>
    async (point, random) => {
      // Nodes of its own, so that no more of them are awake than there are to be.
      const resources = new Resources();
      around.onRelease(() => resources.release());
      try {
        const count = Number(point.parameters["edges"]);
        const testbed = await Testbed.open({ resources, edges: count });
        const [first, ...others] = Array.from({ length: count }, (_, at) => edgeName(at + 1));
        const edges = [first as string, ...others] as const;
        const run = { testbed, point, random, data: "replicated", phase: "random" } as const;
        return await runReplication({ ...run, edges });
      } finally {
        await resources.release();
      }
    },
};

import type { Resources } from "../../../bench/resources.js";
import type { Experiment } from "../../experiment.js";
import type { Point, Scale } from "../../results/point.js";
import { edgeName } from "../../testbed/places.js";
import { Testbed } from "../../testbed/testbed.js";
import { repeated, type AtScale, type Extent } from "../repeated.js";
import { RATE_PER_S, replicationAroundS, runReplication } from "../replication.js";

const EXTENT: AtScale<Extent> = {
  tiny: { repeats: 1, loadS: 1, cutS: 0 },
  short: { repeats: 3, loadS: 3, cutS: 0.3 },
  full: { repeats: 3, loadS: 120, cutS: 10 },
};

const COUNTS: AtScale<readonly number[]> = {
  tiny: [2],
  short: [1, 2, 4, 8, 16],
  full: [1, 2, 4, 8, 16],
};

/** To start naming, network and the cloud, and each edge, in seconds. */
const OPENED_S = 4;
const NODE_S = 1.2;

/** Figure 6, replicated and with random phases, by the number of edges that all have the data. */
export const EDGES: Experiment = {
  figure: "edges",
  title: "Latency and lag of replicated data by the number of edges",
  aroundS: (point) => {
    const count = edgesOf(point);
    const openedS = (OPENED_S + count * NODE_S) / EXTENT.short.repeats;
    return openedS + replicationAroundS(point, "replicated", count);
  },
  // why repeats in a row, unlike elsewhere: they share their nodes, which take longer to start than the load.
  points: (scale: Scale) =>
    repeated(
      "edges",
      EXTENT[scale],
      COUNTS[scale].map((edges) => ({
        name: `edges-${edges}`,
        parameters: { edges, data: "replicated", phase: "random", ratePerS: RATE_PER_S },
      })),
    ).toSorted((one, other) => edgesOf(one) - edgesOf(other)),
  open: ({ resources: around }) => {
    // Nodes of their own for each number, so that no more of them are awake than there are to be.
    let opened: { readonly count: number; readonly resources: Resources } | undefined;
    let testbed: Testbed | undefined;
    return Promise.resolve(async (point, random) => {
      const count = edgesOf(point);
      if (opened?.count !== count || testbed === undefined) {
        testbed = undefined;
        await opened?.resources.release();
        opened = { count, resources: around.scope() };
        testbed = await Testbed.open({ resources: opened.resources, edges: count });
      }
      const [first, ...others] = Array.from({ length: count }, (_, at) => edgeName(at + 1));
      const edges = [first as string, ...others] as const;
      const run = { testbed, point, random, data: "replicated", phase: "random" } as const;
      return await runReplication({ ...run, edges });
    });
  },
};

function edgesOf({ parameters }: Point): number {
  return Number(parameters["edges"]);
}

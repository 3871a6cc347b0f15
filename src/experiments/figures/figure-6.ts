import type { Experiment } from "../experiment.js";
import { PHASES, PLACEMENTS, type Phase, type Placement } from "../results/by-figure.js";
import { edgeName } from "../testbed/places.js";
import { Testbed } from "../testbed/testbed.js";
import { repeated, type AtScale, type Extent, type Setting } from "./repeated.js";
import { RATE_PER_S, replicationAroundS, runReplication } from "./replication.js";

const EXTENT: AtScale<Extent> = {
  tiny: { repeats: 1, loadS: 1, cutS: 0 },
  short: { repeats: 3, loadS: 16, cutS: 1 },
  full: { repeats: 3, loadS: 300, cutS: 10 },
};

/** What a point is measured under, beside what is the same in all. */
interface ReplicationParameters {
  readonly data: Placement;
  readonly phase: Phase;
}

const EDGES = [edgeName(1), edgeName(2)] as const;

/** Writes at one edge and reads at another, by where the data lie. */
export const FIGURE_6: Experiment = {
  figure: "6",
  title: "Latency of writes and reads at two edges, and how stale reads are",
  samplesPerS: 50,
  aroundS: (point) =>
    replicationAroundS(point, point.parameters["data"] as Placement, EDGES.length),
  points: (scale) => repeated("6", EXTENT[scale], scale === "tiny" ? [TINY] : settings()),
  open: async ({ resources }) => {
    const testbed = await Testbed.open({ resources, edges: EDGES.length });
    return (point, random) => {
      const { data, phase } = point.parameters as unknown as ReplicationParameters;
      return runReplication({ testbed, point, random, data, phase, edges: EDGES });
    };
  },
};

function settings(): readonly Setting[] {
  return PLACEMENTS.flatMap((data) => PHASES.map((phase) => setting({ data, phase })));
}

function setting({ data, phase }: ReplicationParameters): Setting {
  const parameters = { data, phase, ratePerS: RATE_PER_S, connections: "fresh" };
  return { name: `${data}-${phase}`, parameters };
}

const TINY = setting({ data: "replicated", phase: "random" });

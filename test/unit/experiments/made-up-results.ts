import { createPrng } from "../../../src/base/prng.js";
import { SIZES_BYTES } from "../../../src/experiments/paper/prototype.js";
import {
  CLIENT_LINKS,
  CITIES,
  KINDS,
  PHASES,
  PLACEMENTS,
  PLACES,
  VARIANTS,
  type Place,
  type Placement,
} from "../../../src/experiments/results/by-figure.js";
import type { Point, Result, Sample } from "../../../src/experiments/results/point.js";
import { PROCESSOR_TOTALS } from "../../../src/experiments/results/processor-use.js";

/** Figure 4 has so many points that one repeat of each is enough. */
const repeatsOf = (figure: string): number => (figure === "4" ? 1 : 2);
const LOAD_S = 2;
const prng = createPrng(7);
/** Of 60 requests. */
const PROCESSOR = {
  [PROCESSOR_TOTALS.node]: 60,
  [PROCESSOR_TOTALS.functions]: 120,
  [PROCESSOR_TOTALS.network]: 30,
  [PROCESSOR_TOTALS.clients]: 15,
  [PROCESSOR_TOTALS.busy]: 400,
  [PROCESSOR_TOTALS.capacity]: 4000,
};

/** A result with one request in twenty failed, for each point of a small but whole run. */
export function madeUpResults(): Result[] {
  const results = [...figure3(), ...figure4(), ...figure6(), ...figure8(), ...beyond()];
  return results.flatMap((result) =>
    Array.from({ length: repeatsOf(result.point.figure) }, (_, at) => {
      const repeat = at + 1;
      return { ...result, point: { ...result.point, repeat }, samples: [...result.samples] };
    }),
  );
}

function result(figure: string, name: string, parameters: Point["parameters"]): Result {
  const point = { figure, name, repeat: 1, seed: 1, loadS: LOAD_S, cutS: 0.1, parameters };
  const measuredAt = "2026-01-02T03:04:05.678Z";
  return { point, measuredAt, commit: "abc1234", network: "emulator", samples: [] };
}

/** Values about `ms`, evenly over the load; every twentieth request fails. */
function samples(series: string, ms: number, total = 60): Sample[] {
  return Array.from({ length: total }, (_, at) => ({
    series,
    atMs: (at / total) * LOAD_S * 1000,
    valueMs: ms * (0.95 + prng.next() ** 3 / 2),
    status: at % 20 === 19 ? 503 : 200,
  }));
}

function figure3(): Result[] {
  const cloudMs = [204, 155, 105];
  return PLACES.flatMap((data) =>
    VARIANTS.map((variant, at) => ({
      ...result("3", `${data}-${variant}`, { data, variant }),
      samples: [
        ...samples("call", data === "edge" ? 5 : (cloudMs[at] as number)),
        ...samples("floor", 4.2),
      ],
      totals: PROCESSOR,
    })),
  );
}

function figure4(): Result[] {
  return (["read", "write"] as const).flatMap((operation) =>
    PLACES.flatMap((data) =>
      CLIENT_LINKS.flatMap((clientLink) =>
        SIZES_BYTES.map((sizeBytes) => ({
          ...result("4", `${operation}-${data}-${clientLink}-${sizeBytes}`, {
            operation,
            data,
            clientLink,
            sizeBytes,
          }),
          samples: [
            ...samples("call", 20, data === "edge" ? 400 : 40),
            ...samples("floor", 2, clientLink === "10mbit" ? 100 : 900),
          ],
        })),
      ),
    ),
  );
}

function figure6(): Result[] {
  return PLACEMENTS.flatMap((data) =>
    PHASES.map((phase) => ({
      ...result("6", `${data}-${phase}`, { data, phase }),
      samples: replicationSamples(data, phase === "locked" ? 2 : 0.5),
    })),
  );
}

function replicationSamples(data: Placement, staleMs: number): Sample[] {
  const readMs = { replicated: 4.4, peer: 24.5, cloud: 54.6 };
  return [
    ...samples("write", data === "cloud" ? 54 : 4.5),
    ...samples("floor-write", 4),
    ...samples("read", readMs[data]),
    ...samples("floor-read", 4),
    ...samples("staleness", data === "replicated" ? staleMs : 0),
    ...(data === "replicated" ? samples("lag", 10.6) : []),
  ];
}

function figure8(): Result[] {
  return CITIES.map((city) => ({
    ...result("8", `${city.store}-${city.arrivals}-${city.plan.replaceAll(" ", "-")}`, { ...city }),
    samples: citySamples(city.store, city.plan === "update" ? 50 : 100),
  }));
}

function citySamples(store: Place, farMs: number): Sample[] {
  const passingMs = { weather: 1, traffic: 3, object: 5 };
  return KINDS.flatMap((kind) => {
    const ms = passingMs[kind] + (store === "cloud" && kind !== "weather" ? farMs : 0);
    const filtered =
      kind === "object"
        ? []
        : [...samples(`filtered-${kind}`, 4.2), ...samples(`in-function-filtered-${kind}`, 0.2)];
    return [
      ...samples(kind, ms + 4),
      ...samples(`in-function-${kind}`, ms),
      ...samples(`floor-${kind}`, 4),
      ...filtered,
    ];
  });
}

function beyond(): Result[] {
  return [
    {
      ...result("partition", "replication-peer", { work: "replication", data: "peer" }),
      samples: replicationSamples("peer", 0),
    },
    {
      ...result("partition", "city-cloud", { work: "smart city", store: "cloud" }),
      samples: citySamples("cloud", 100),
    },
    ...["get-set", "update", "counter"].map((way) => ({
      ...result("lost-updates", `${way}-3`, { way, nodes: 3 }),
      samples: samples("call", 5),
      totals: { calls: 57, kept: way === "get-set" ? 20 : 57, lost: way === "get-set" ? 37 : 0 },
    })),
    ...[1, 2, 16].map((edges) => ({
      ...result("edges", `edges-${edges}`, { edges }),
      samples: replicationSamples(edges === 1 ? "peer" : "replicated", 1),
    })),
    { ...result("new", "set", { how: "set" }), totals: { written: 1000, lost: 712 } },
  ];
}

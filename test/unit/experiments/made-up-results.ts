import { createPrng } from "../../../src/base/prng.js";
import { SIZES_BYTES } from "../../../src/experiments/paper/prototype.js";
import {
  CLIENT_LINKS,
  ENTRY_FUNCTIONS,
  OFFERED_RATES,
  PHASES,
  PLACEMENTS,
  PLACES,
  VARIANTS,
} from "../../../src/experiments/results/by-figure.js";
import type { Point, Result, Sample } from "../../../src/experiments/results/point.js";

const REPEATS = 2;
const LOAD_S = 2;
const prng = createPrng(7);

/** A result with one request in twenty failed, for each point of a small but whole run. */
export function madeUpResults(): Result[] {
  const results = [...figure3(), ...figure4(), ...figure6(), ...figure8(), ...beyond()];
  return results.flatMap((result) =>
    Array.from({ length: REPEATS }, (_, at) => {
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
  const readMs = { replicated: 4.4, peer: 24.5, cloud: 54.6 };
  return PLACEMENTS.flatMap((placement) =>
    PHASES.map((phase) => ({
      ...result("6", `${placement}-${phase}`, { placement, phase }),
      samples: [
        ...samples("write", placement === "cloud" ? 54 : 4.5),
        ...samples("floor-write", 4),
        ...samples("read", readMs[placement]),
        ...samples("floor-read", 4),
        ...samples("staleness", placement !== "replicated" ? 0 : phase === "locked" ? 2 : 0.5),
        ...(placement === "replicated" ? samples("lag", 10.6) : []),
      ],
    })),
  );
}

function figure8(): Result[] {
  const passingMs = { weathersensorfilter: 1, trafficsensorfilter: 3, objectrecognition: 5 };
  return PLACES.flatMap((store) =>
    OFFERED_RATES.map((rate) => ({
      ...result("8", `${store}-${rate}`, { store, rate }),
      samples: ENTRY_FUNCTIONS.flatMap((name) => {
        const isSlow = store === "cloud" && name !== "weathersensorfilter";
        const ms = passingMs[name] + (isSlow ? 100 : 0);
        const filtered = name === "objectrecognition" ? ms : 0.2;
        return [
          ...samples(`client-${name}`, ms + 4),
          ...samples(`in-function-${name}`, filtered),
          ...samples(`in-function-${name}`, ms),
        ];
      }),
    })),
  );
}

function beyond(): Result[] {
  return ["set", "update"].map((how) => ({
    ...result("beyond", `lost-${how}`, { how }),
    totals: { written: 1000, lost: how === "set" ? 712 : 0 },
  }));
}

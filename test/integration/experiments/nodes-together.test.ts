import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { createPrng } from "../../../dist/base/prng.js";
import { Resources } from "../../../dist/bench/resources.js";
import { median } from "../../../dist/bench/statistics.js";
import type { Measure } from "../../../dist/experiments/experiment.js";
import { FIGURES } from "../../../dist/experiments/figures/figures.js";
import type { Outcome } from "../../../dist/experiments/results/point.js";
import { ETCD_MISSING } from "../../helpers/etcd.js";

/** What the points of an experiment give, at the least. */
interface Expected {
  /** Series, with what the emulated links alone take. */
  readonly leastMs: Readonly<Record<string, number>>;
  readonly totals?: Readonly<Record<string, unknown>>;
  /** Nodes are cut off from each other: some fail, or wait. */
  readonly isCut?: boolean;
}

const REPLICATED = {
  leastMs: { write: 4, read: 4, "floor-write": 4, "floor-read": 4, staleness: 0, lag: 10 },
};
const EXPECTED: Readonly<Record<string, Expected>> = {
  "6": REPLICATED,
  "8": {
    leastMs: {
      object: 104,
      "in-function-object": 100,
      "in-function-traffic": 100,
      "filtered-traffic": 4,
      "in-function-filtered-traffic": 0,
      "floor-object": 104,
      "floor-weather": 4,
    },
  },
  partition: { leastMs: { write: 4, read: 24, "floor-read": 24, staleness: 0 }, isCut: true },
  "lost-updates": { leastMs: { call: 2 }, totals: { lost: 0 } },
  edges: REPLICATED,
};

const EXPERIMENTS = FIGURES.filter(({ figure }) => figure in EXPECTED);

describe.each(EXPERIMENTS)(`$figure${ETCD_MISSING}`, (experiment) => {
  const { leastMs, totals, isCut = false } = EXPECTED[experiment.figure] as Expected;
  const resources = new Resources();
  let measure: Measure;

  beforeAll(async () => {
    if (ETCD_MISSING) return;
    measure = await experiment.open({ resources, say: () => {} });
  });
  afterAll(() => resources.release());

  test.skipIf(ETCD_MISSING).each(experiment.points("tiny"))("$name is measured", async (point) => {
    const outcome = await measure(point, createPrng(point.seed).next);
    for (const [series, least] of Object.entries(leastMs)) {
      const { valuesMs, failures } = seriesOf(outcome, series);
      expect(valuesMs.length, series).toBeGreaterThan(0);
      expect(median(valuesMs), series).toBeGreaterThanOrEqual(least);
      if (!isCut) expect(failures, series).toEqual([]);
    }
    expect(outcome.totals ?? {}).toMatchObject(totals ?? {});
  });
});

function seriesOf({ samples }: Outcome, series: string) {
  const some = samples.filter((sample) => sample.series === series);
  const good = some.filter(({ status }) => status === 200);
  return {
    valuesMs: good.map(({ valueMs }) => valueMs),
    failures: some.filter(({ status }) => status !== 200),
  };
}

test("every experiment is named, and has points of a name and seed of their own", () => {
  for (const experiment of FIGURES) {
    for (const scale of ["tiny", "short", "full"] as const) {
      const points = experiment.points(scale);
      expect(points.length).toBeGreaterThan(0);
      const names = points.map(({ name, repeat }) => `${name} ${repeat}`);
      expect(new Set(names).size).toBe(points.length);
      expect(new Set(points.map(({ seed }) => seed)).size).toBe(points.length);
      for (const { name } of points) expect(name).toMatch(/^[a-z0-9-]+$/);
    }
  }
});

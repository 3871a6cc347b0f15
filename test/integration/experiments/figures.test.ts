import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { createPrng } from "../../../dist/base/prng.js";
import { Resources } from "../../../dist/bench/resources.js";
import { median } from "../../../dist/bench/statistics.js";
import type { Measure } from "../../../dist/experiments/experiment.js";
import { FIGURES } from "../../../dist/experiments/figures/figures.js";
import type { Point, Sample } from "../../../dist/experiments/results/point.js";
import { CLOUD, edgeName } from "../../../dist/experiments/testbed/places.js";
import { Testbed } from "../../../dist/experiments/testbed/testbed.js";
import { ETCD_MISSING } from "../../helpers/etcd.js";

/** Some of each kind: the rest differs in parameters alone. */
const TRIED: Readonly<Record<string, readonly string[]>> = {
  3: ["edge-python-awaited", "cloud-typescript-parallel"],
  4: ["read-edge-10mbit-1000", "write-cloud-unlimited-1000"],
};
const EXPERIMENTS = FIGURES.filter(({ figure }) => figure in TRIED);

describe.each(EXPERIMENTS)(`figure $figure${ETCD_MISSING}`, (experiment) => {
  const points = experiment
    .points("tiny")
    .filter(({ figure, name }) => TRIED[figure]?.includes(name) === true);
  const resources = new Resources();
  let measure: Measure;
  let testbed: Testbed;

  beforeAll(async () => {
    if (ETCD_MISSING) return;
    const opening = vi.spyOn(Testbed, "open");
    measure = await experiment.open({ resources, say: () => {} });
    testbed = (await opening.mock.results[0]?.value) as Testbed;
    opening.mockRestore();
  });
  afterAll(() => resources.release());

  test.skipIf(ETCD_MISSING).each(points)("$name is measured, and leaves no data", async (point) => {
    // So that it begins with none, whatever was measured before.
    expect(await held(testbed)).toEqual([]);
    const deployed = vi.spyOn(testbed, "deploy");
    const { samples } = await measure(point, createPrng(point.seed).next);
    expect(deployed).toHaveBeenCalledOnce();
    deployed.mockRestore();
    expect(await held(testbed)).toEqual([]);
    for (const series of ["call", "floor"]) {
      const some = samples.filter((sample) => sample.series === series);
      expect(some.length).toBeGreaterThan(4);
      expect(some.filter(({ status }) => status !== 200)).toEqual([]);
      expect(median(some.map(({ valueMs }) => valueMs))).toBeGreaterThan(leastMs(point, series));
    }
    expect(samples.every((sample) => sample.atMs < point.loadS * 1000)).toBe(true);
  });
});

/** Functions and keygroups that nodes have. */
async function held(testbed: Testbed): Promise<string[]> {
  const clients = [CLOUD, edgeName(1)].map((name) => testbed.node(name).client);
  const lists = clients.flatMap(({ functions, keygroups }) => [functions.list(), keygroups.list()]);
  return (await Promise.all(lists)).flat().map(({ name }) => name);
}

/** What the emulated links alone take, to the least. */
function leastMs({ figure, parameters }: Point, series: Sample["series"]): number {
  const { data, trips, clientLink } = parameters;
  if (figure === "3") return 4 + (data === "cloud" ? 50 * Number(trips) : 0);
  const clientMs = clientLink === "unlimited" ? 0 : 2;
  return clientMs + (series === "call" && data === "cloud" ? 50 : 0);
}

import { describe, expect, test } from "vitest";

import { createPrng } from "../../../src/base/prng.js";
import {
  bodyBytesOf,
  drawRequests,
  type CityRequest,
} from "../../../src/experiments/figures/smart-city/requests.js";

const LOAD_S = 600;

function draw(arrivals: "steady" | "generator", seed = 1): readonly CityRequest[] {
  return drawRequests({ arrivals, loadS: LOAD_S, random: createPrng(seed).next });
}

function share(requests: readonly CityRequest[], is: (request: CityRequest) => boolean): number {
  return requests.filter(is).length / requests.length;
}

describe("requests of the smart city", () => {
  test("come at the rates of the paper and of the prototype's generator", () => {
    expect(draw("steady")).toHaveLength(5 * LOAD_S);
    // 0.9 · 1/45 s + 0.1 · 1/10 s between two: 33.3 a second.
    expect(draw("generator").length / LOAD_S).toBeCloseTo(33.3, 0);
  });

  test("are 45 % pictures, 45 % traffic and 10 % weather, and filters end half of the readings", () => {
    const requests = draw("generator");
    expect(share(requests, ({ kind }) => kind === "object")).toBeCloseTo(0.45, 1);
    expect(share(requests, ({ kind }) => kind === "weather")).toBeCloseTo(0.1, 1);
    const readings = requests.filter(({ kind }) => kind !== "object");
    expect(share(readings, ({ isFiltered }) => isFiltered)).toBeCloseTo(0.5, 1);
    expect(requests.some(({ kind, isFiltered }) => kind === "object" && isFiltered)).toBe(false);
  });

  test("are the same for one seed, and as large as the prototype's", () => {
    expect(draw("steady")).toEqual(draw("steady"));
    expect(draw("steady", 2)).not.toEqual(draw("steady"));
    expect(bodyBytesOf("object")).toBe(15_872 + '{"image":""}'.length);
  });
});

import type { Experiment } from "../experiment.js";
import { CITIES, type City } from "../results/by-figure.js";
import { Testbed } from "../testbed/testbed.js";
import { repeated, type AtScale, type Extent, type Setting } from "./repeated.js";
import { cityOf } from "./smart-city/application.js";
import { cityAroundS, runCity } from "./smart-city/run-city.js";

const EXTENT: AtScale<Extent> = {
  tiny: { repeats: 1, loadS: 1, cutS: 0 },
  short: { repeats: 3, loadS: 12, cutS: 1 },
  full: { repeats: 3, loadS: 600, cutS: 20 },
};

/** The smart city, by where the plan of movements lies. */
export const FIGURE_8: Experiment = {
  figure: "8",
  title: "Smart city with the plan of movements at the edge and in the cloud",
  samplesPerS: 60,
  aroundS: (point) => cityAroundS(point, point.parameters as unknown as City),
  points: (scale) => repeated("8", EXTENT[scale], scale === "tiny" ? [TINY] : CITIES.map(setting)),
  open: async ({ resources }) => {
    const testbed = await Testbed.open({ resources, edges: 1 });
    return async (point, random) => {
      const parameters = point.parameters as unknown as City;
      const functions = await cityOf({ resources, ...parameters });
      return await runCity({ testbed, point, random, functions, ...parameters });
    };
  },
};

function setting(city: City): Setting {
  const { store, plan, arrivals } = city;
  const name = `${store}-${arrivals}${plan === "update" ? "-update" : ""}`;
  return { name, parameters: { ...city, connections: "fresh" } };
}

const TINY = setting({ store: "cloud", arrivals: "generator", plan: "update" });

import { afterAll, expect, test } from "vitest";

import { Resources } from "../../../src/bench/resources.js";
import { CEILINGS } from "../../../src/alternatives/contenders/ceiling.js";
import { startChecked } from "../../../src/alternatives/start.js";

const resources = new Resources();

afterAll(() => resources.release());

test.each(CEILINGS.flatMap((contender) => contender.works.map((work) => ({ contender, work }))))(
  "the ceiling, $contender.durability, does $work and ends",
  async ({ contender, work }) => {
    const running = await startChecked(contender, { resources, programs: "" }, work);
    await running.stop();
    await expect(fetch(running.url)).rejects.toThrow();
  },
);

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";

import { runScenario } from "../../../src/sim/scenario.js";

const FOLDER = new URL("scenarios/", import.meta.url);

// ENOKI_DOCS_UPDATE=1 writes the answers of now into the files: read what has changed.
test.each(readdirSync(FOLDER))("the scenario %s answers as it is written", async (name) => {
  const file = new URL(name, FOLDER);
  const written = readFileSync(file, "utf8");
  const now = await runScenario(written);
  if (process.env["ENOKI_DOCS_UPDATE"] === "1") writeFileSync(file, now);
  else expect(now).toBe(written);
});

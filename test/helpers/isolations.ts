import { describe } from "vitest";

import { NODE_DEFAULTS, type NodeSettings } from "../../dist/node/node-settings.js";
import { probeSandbox } from "../../src/runtimes/sandbox-probe.js";

const sandbox = await probeSandbox();

/**
 * Describes the same of functions in both isolations. `body` gets what a node is started with;
 * where there is no sandbox, its half is skipped with the reason.
 */
export function inEachIsolation(body: (settings: Partial<NodeSettings>) => void): void {
  for (const isolation of ["process", "sandbox"] as const) {
    const missing =
      isolation === "sandbox" && "missing" in sandbox
        ? `: ${sandbox.missing}; get it with \`npm run setup\``
        : "";
    describe.skipIf(missing !== "")(`with isolation ${isolation}${missing}`, () => {
      body({ functionDefaults: { ...NODE_DEFAULTS.functionDefaults, isolation } });
    });
  }
}

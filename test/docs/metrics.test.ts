import { expect, test } from "vitest";

import type { Functions } from "../../src/functions/functions.js";
import type { Keygroups } from "../../src/keygroups/keygroups.js";
import { createNodeMetrics } from "../../src/node/metrics.js";
import { NO_TRACER } from "../../src/ports/tracer.js";
import { readPage } from "./pages.js";

const page = await readPage("docs/reference/metrics.md");
const rows = [...page.matchAll(/^\| `(\w+)` \| (\w+) \| (.+) \|$/gm)].map(
  ([, name, kind, meaning]) => ({ metric: `${name} ${kind}`, meaning: meaning as string }),
);

/** A node without functions and keygroups: it shows the same names. */
function printMetrics(): Promise<string> {
  const functions = { hosts: () => [] } as unknown as Functions;
  const keygroups = { list: () => [] } as unknown as Keygroups;
  return createNodeMetrics({
    functions,
    keygroups,
    replicatorOf: () => undefined,
    tracer: NO_TRACER,
  })();
}

test("the page has every metric with its kind, once, and nothing else", async () => {
  const exposed = [...(await printMetrics()).matchAll(/^# TYPE (\w+ \w+)$/gm)].map(
    ([, metric]) => metric as string,
  );
  expect(rows.map(({ metric }) => metric).toSorted()).toEqual(exposed.toSorted());
});

test("every metric begins with enoki, and counters end in _total", () => {
  for (const { metric } of rows) {
    expect(metric).toMatch(/^enoki_/);
    if (metric.endsWith(" counter")) expect(metric).toMatch(/_total /);
  }
});

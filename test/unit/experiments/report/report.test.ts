import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { DEVIATIONS } from "../../../../src/experiments/paper/deviations.js";
import { STATEMENTS } from "../../../../src/experiments/paper/statements.js";
import {
  writeReport,
  type WrittenReport,
} from "../../../../src/experiments/report/write-report.js";
import type { Result } from "../../../../src/experiments/results/point.js";
import { ResultStore } from "../../../../src/experiments/results/store.js";
import { madeUpResults } from "../made-up-results.js";
import { clippedTexts, overlappingTexts, xmlProblem } from "./svg-checks.js";

const PLOTS = [
  "3",
  "4a-10mbit",
  "4a-unlimited",
  "4b-10mbit",
  "4b-unlimited",
  "6a",
  "6b",
  "6c",
  "8a",
  "8b",
  "8c",
  "8a-client",
  "8b-client",
  "8c-client",
  "6c-unreplicated",
  "edges",
];
/** What the paper shows no curves of. */
const OURS_ONLY = new Set(["8a-client", "8b-client", "8c-client", "6c-unreplicated", "edges"]);
const SECTIONS = [
  "Statements of the paper",
  "Targets of this project",
  "Where the prototype's runs differ from the paper",
  "Figure 3: one function with state",
  "Figure 4: throughput",
  "Figure 6: replication",
  "Figure 8: an application of eight functions",
  "Beyond the paper: cut off in the middle",
  "Beyond the paper: lost updates",
  "Beyond the paper: the number of edges",
  "Something new",
  "Method",
];

/** The opening has 3, one of missed targets and one of profiles, then figure by figure; that of Figure 3 is made up with the time of processors. */
const TABLES = 5 + 2 + 2 + 3 + 1 + 1 + 1 + 1 + 1;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "enoki-report-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function report(name: string, results: readonly Result[]): Promise<WrittenReport> {
  const store = await ResultStore.open(join(folder, name));
  await Promise.all(results.map((result) => store.save(result)));
  return writeReport({
    store,
    folder: join(folder, name, "report"),
    expected: madeUpResults().map(({ point }) => point),
    known: madeUpResults().map(({ point }) => point),
    titles: new Map([
      ["3", "Moving average"],
      ["new", "Something new"],
    ]),
    machine: undefined,
    scale: "tiny",
    peersFile: join(folder, name, "peers.json"),
    docsFolder: join(folder, name, "docs"),
  });
}

const read = (...path: string[]): Promise<string> => readFile(join(folder, ...path), "utf8");

describe("of a whole run", () => {
  let html: string;
  let markdown: string;
  beforeAll(async () => {
    const { missing, broken } = await report("whole", madeUpResults());
    expect({ missing, broken }).toEqual({ missing: [], broken: [] });
    [html, markdown] = await Promise.all([
      read("whole", "report", "index.html"),
      read("whole", "report", "report.md"),
    ]);
  }, 60_000);

  test("has every section and every table of the paper's figures, in both forms", () => {
    const headings = [...markdown.matchAll(/^## (.*)$/gm)].map(([, text]) => text);
    expect(headings).toEqual(SECTIONS);
    expect(html.match(/<h2 /g)).toHaveLength(SECTIONS.length);
    expect(html.match(/<table>/g)).toHaveLength(TABLES);
    expect(markdown.match(/^\| --- /gm)).toHaveLength(TABLES);
  });

  test("decides every statement and every target", () => {
    expect(STATEMENTS.length).toBeGreaterThan(20);
    for (const { says } of STATEMENTS) expect(markdown).toContain(`| ${says} |`);
    for (const { runs } of DEVIATIONS) expect(markdown).toContain(`| ${runs} |`);
    expect(markdown).not.toContain("not measured");
  });

  test("says of each figure how long it took, how many requests there were and how many failed", () => {
    // Two repeats of six points, 60 calls each, of which three failed.
    expect(markdown).toContain(
      "12 points, repeats included, under load for 24 s in all; 720 requests, of which 36 failed.",
    );
    expect(markdown.match(/^Measured: /gm)).toHaveLength(8);
  });

  test("has what its rows say", () => {
    const row = /^\| Python, four awaited trips \| edge \|.*$/m.exec(markdown)?.[0] ?? "";
    const [, , , paper, ours, , , floor, beyond, ratio] = row.split("|").map((cell) => cell.trim());
    expect(paper).toBe("21.0 ms");
    expect(ours).toMatch(/^4\.9\d ms \(\d\.\d\d to \d\.\d\d\)$/);
    expect(Number.parseFloat(beyond ?? "")).toBeCloseTo(
      Number.parseFloat(ours ?? "") - Number.parseFloat(floor ?? ""),
      1,
    );
    expect(Number.parseFloat(ratio ?? "")).toBeCloseTo(20.97 / Number.parseFloat(ours ?? ""), 1);
    expect(markdown).toContain("| how set | 1,000 · 1,000 | 712 · 712 |");
  });

  test("has the profiles that the project keeps", () => {
    const rows = markdown.slice(markdown.indexOf("### Profiles"));
    expect(rows).toMatch(
      /^\| moving average in TypeScript.* \| LMDB \| 18\.1 % \| 12\.6 µs \| [0-9a-f]{7} \|$/m,
    );
  });

  test("says where the processor time goes, and so of a target that is missed", () => {
    const rows = markdown.slice(markdown.indexOf("### Where the processor time goes"));
    expect(rows).toContain(
      "| edge-python-awaited | 1.00 ms | 2.00 ms | 0.50 ms | 0.25 ms | 10 % |",
    );
    const profile =
      "processor time of a request: nodes 1.00 ms, functions 2.00 ms, emulated network 0.50 ms, clients 0.25 ms; 10 % of all in use";
    const cloud = /^\| Figure 3, cloud, python-awaited: median .*$/m.exec(markdown)?.[0];
    expect(cloud).toContain(`| MISSES | ${profile} |`);
  });

  test.each(PLOTS)(
    "the plot %s is well-formed, and its labels are whole and apart",
    async (plot) => {
      const svg = await read("whole", "report", `figure-${plot}.svg`);
      expect(xmlProblem(svg)).toBe(undefined);
      expect(clippedTexts(svg)).toEqual([]);
      expect(overlappingTexts(svg)).toEqual([]);
      expect(svg).toMatch(/ in (?:ms|MB\/s)/);
      if (!OURS_ONLY.has(plot)) expect(svg).toMatch(/>prototype, .*>ours, /s);
      expect(html).toContain(svg);
      expect(markdown).toContain(`(figure-${plot}.svg)`);
    },
  );

  test("has no plots beside those", async () => {
    const files = await readdir(join(folder, "whole", "report"));
    expect(files.sort()).toEqual(
      [...PLOTS.map((plot) => `figure-${plot}.svg`), "index.html", "report.md"].sort(),
    );
  });

  test("goes into the documentation as Markdown with its plots", async () => {
    const files = await readdir(join(folder, "whole", "docs"));
    const written = [...PLOTS.map((plot) => `figure-${plot}.svg`), "report.md"];
    expect(files.sort()).toEqual(written.sort());
    expect(await read("whole", "docs", "report.md")).toBe(markdown);
  });

  test("needs no network and no script, and its links lead to headings", () => {
    expect(html).not.toMatch(/<script|<link|<img|@import|url\((?!#)|src=/);
    expect(html.replaceAll("http://www.w3.org/2000/svg", "")).not.toContain("http");
    const anchors = [...html.matchAll(/href="#([^"]+)"/g)].map(([, anchor]) => anchor);
    expect(anchors).toHaveLength(SECTIONS.length);
    for (const anchor of anchors) expect(html).toContain(`id="${anchor}"`);
  });

  test("repeats no id", () => {
    const ids = [...html.matchAll(/\bid="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("has no number that is none", () => {
    expect(markdown).not.toMatch(/NaN|Infinity|undefined/);
    expect(html).not.toMatch(/NaN|Infinity|undefined/);
  });
});

test("of nothing says what is not measured, and shows the paper", async () => {
  const { missing } = await report("none", []);
  expect(missing).toHaveLength(madeUpResults().length);
  const markdown = await read("none", "report", "report.md");
  expect(markdown).toContain(`0 of ${missing.length} points`);
  // All but the one that no measurement decides.
  const [statements = "", targets = ""] = markdown.split("## Targets of this project");
  expect(statements.match(/\| not measured \|/g)?.length).toBe(STATEMENTS.length - 1);
  expect(targets).not.toMatch(/\| (?:holds|MISSES) \|/);
  expect(markdown).not.toMatch(/NaN|Infinity|undefined/);
  expect(xmlProblem(await read("none", "report", "figure-3.svg"))).toBe(undefined);
});

test("names results that cannot be read, and leaves them out", async () => {
  await ResultStore.open(join(folder, "broken"));
  await writeFile(join(folder, "broken", "3-edge-r1.json"), "{");
  const { broken } = await report("broken", []);
  expect(broken).toEqual([expect.stringMatching(/3-edge-r1\.json is no JSON$/)]);
  expect(await read("broken", "report", "report.md")).toContain("3-edge-r1.json is no JSON");
});

test("leaves out what was measured under other parameters, and says so", async () => {
  const [first] = madeUpResults() as [Result];
  const other = { ...first, point: { ...first.point, loadS: first.point.loadS + 1 } };
  const { broken, missing } = await report("other", [other]);
  expect(broken).toEqual(["3-edge-python-awaited-r1 was measured under other parameters"]);
  expect(missing).toContain("3-edge-python-awaited-r1");
});

describe("targets against other systems", () => {
  const written = {
    comparisons: [
      {
        title: "average",
        against: "Deno",
        value: { median: 7.123 },
        target: { atLeast: 5 },
        verdict: "holds",
      },
      { title: "only told", against: "Deno", value: { median: 2 } },
      {
        title: "lag",
        against: "NATS",
        value: { median: 1.5 },
        target: { atMost: 1 },
        verdict: "misses",
      },
      {
        title: "no-op",
        against: "workerd",
        value: { median: null },
        target: { atLeast: 1.8 },
        verdict: "invalid",
      },
    ],
  };

  test("stand in the table if they were measured", async () => {
    await ResultStore.open(join(folder, "peers"));
    await writeFile(join(folder, "peers", "peers.json"), JSON.stringify(written));
    await report("peers", []);
    const markdown = await read("peers", "report", "report.md");
    expect(markdown).not.toContain("only told");
    expect(markdown).toContain("| average, against Deno | ≥ 5 × | 7.12 × | holds |");
    expect(markdown).toContain("| lag, against NATS | ≤ 1 × | 1.5 × | MISSES |");
    expect(markdown).toContain("| no-op, against workerd | ≥ 1.8 × | – | not measured |");
  });

  test.each(["{", "{}", "[]"])(
    "are left out, which is said, if the file holds %s",
    async (text) => {
      await ResultStore.open(join(folder, "no-peers"));
      await writeFile(join(folder, "no-peers", "peers.json"), text);
      const { broken } = await report("no-peers", []);
      expect(broken).toEqual([
        expect.stringContaining("peers.json is nothing that npm run peers wrote"),
      ]);
    },
  );
});

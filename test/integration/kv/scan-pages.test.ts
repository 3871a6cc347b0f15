import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";

import { KeygroupOperations } from "../../../dist/keygroups/operation-server.js";
import type { FunctionName, KeygroupName } from "../../../dist/core/ids.js";
import { OPERATION } from "../../../src/channel/frames.js";
import { operationKind } from "../../../src/channel/operations.js";
import { TAG } from "../../../src/core/value.js";
import { familyOf, readProcesses, trySignal } from "../../../src/runtimes/process-table.js";
import { deployFiles, send } from "../../helpers/node-calls.js";
import { startNode, type RunningNode } from "../../helpers/running-node.js";

/** Three pages of a scan, of the size that the contract names; one batch writes one whole page. */
const PAGES = 3;
const PAGE = 1000;
const SCANS = 30;
/** Direct reads are fast, so it takes many to meet a commit. */
const DIRECT_SCANS = 300;

/** Scans again and again: of each page, the rounds that it shows; of a whole page there is one. */
const PYTHON = `
import kv
def call(i):
    seen = []
    for n in range(i["scans"]):
        pages = [set() for _ in range(i["pages"])]
        rows = list(kv.scan(prefix="s/", reverse=n % 2 == 1))
        if len(rows) != i["pages"] * i["page"]: return {"error": "%d rows" % len(rows)}
        for key, value in rows: pages[int(key[2:]) // i["page"]].add(value)
        seen.append([sorted(page) for page in pages])
    return {"seen": seen}
`;
const NODE = `
import { kv } from "enoki";
export async function call(i) {
  const seen = [];
  for (let n = 0; n < i.scans; n++) {
    const pages = Array.from({ length: i.pages }, () => new Set());
    const rows = await kv.scan({ prefix: "s/", reverse: n % 2 === 1 }).toArray();
    if (rows.length !== i.pages * i.page) return { error: rows.length + " rows" };
    for (const [key, value] of rows) pages[Math.floor(Number(key.slice(2)) / i.page)].add(value);
    seen.push(pages.map((page) => [...page]));
    await new Promise(setImmediate);
  }
  return { seen };
}
`;

let running: RunningNode;
let writer: { stop(): Promise<number> };
const served = vi.spyOn(KeygroupOperations.prototype, "serve");

beforeAll(async () => {
  running = await startNode();
  await deployFiles(running, "pages", { "index.mjs": NODE });
  await deployFiles(running, "pages-python", { "fn.py": PYTHON });
});
afterAll(() => running?.remove());
beforeEach(() => void served.mockClear());
afterEach(async () => void (await writer?.stop()));

/** Fills the pages of a keygroup, and then writes whole pages until it is stopped. */
async function writePages(name: string): Promise<void> {
  const keygroup = running.node.keygroups.find(name as KeygroupName);
  const write = (page: number, round: number) =>
    keygroup.write({
      writes: Array.from({ length: PAGE }, (_, i) => ({
        op: "set" as const,
        key: `s/${String(page * PAGE + i).padStart(5, "0")}`,
        value: { tag: TAG.json, bytes: Buffer.from(String(round)) },
      })),
    });
  for (let page = 0; page < PAGES; page++) await write(page, 0);
  let round = 0;
  const state = { isOver: false };
  const writing = (async () => {
    while (!state.isOver) {
      round += 1;
      await write(round % PAGES, round);
      await new Promise(setImmediate);
    }
    return round;
  })();
  writer = {
    stop: () => {
      state.isOver = true;
      return writing;
    },
  };
}

/** Each page is of one round, and the pages changed while they were read. */
async function expectSnapshots(seen: readonly (readonly number[][])[]): Promise<void> {
  for (const pages of seen) for (const page of pages) expect(page).toHaveLength(1);
  expect(new Set(seen.map((pages) => JSON.stringify(pages))).size).toBeGreaterThan(SCANS / 3);
  expect(await writer.stop()).toBeGreaterThan(SCANS / 3);
}

async function scansOf(name: string, scans: number): Promise<readonly number[][][]> {
  const answer = await send(running.functionsUrl, `/${name}`, {
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ scans, pages: PAGES, page: PAGE }),
  });
  const { seen, error } = JSON.parse(answer.text) as { seen?: number[][][]; error?: string };
  if (seen?.length !== scans) throw new Error(error ?? answer.text);
  return seen;
}

/** How many pages the node was asked for over the channel. */
function pagesServed(): number {
  return served.mock.calls.filter(([, , , payload]) => operationKind(payload) === OPERATION.scan)
    .length;
}

test("a page over the REST API shows no batch in part", async () => {
  await running.client.keygroups.create("pages-rest");
  await writePages("pages-rest");
  const seen: number[][][] = [];
  for (let n = 0; n < SCANS; n++) {
    const pages = Array.from({ length: PAGES }, () => new Set<number>());
    const rows = running.client.kv("pages-rest").scan<number>({ prefix: "s/", reverse: n % 2 > 0 });
    for await (const [key, value] of rows)
      pages[Math.floor(Number(key.slice(2)) / PAGE)]?.add(value);
    seen.push(pages.map((page) => [...page]));
  }
  await expectSnapshots(seen);
});

test("a page in Python shows no batch in part, whether it is read directly or asked for", async () => {
  await writePages("pages-python");
  await expectSnapshots(await scansOf("pages-python", DIRECT_SCANS));
  expect(pagesServed()).toBeLessThan(DIRECT_SCANS * PAGES);
});

test("a page in Node shows no batch in part, whether it is read directly or asked for", async () => {
  await writePages("pages");
  await scansOf("pages", 1);
  served.mockClear();
  // A reader that is stopped in the middle of a page meets many commits.
  const instances = running.node.functions.find("pages" as FunctionName)?.pids ?? [];
  const pids = familyOf(new Set(instances), readProcesses()).map(({ pid }) => pid);
  const pauses = setInterval(() => {
    for (const pid of pids) trySignal(pid, "SIGSTOP");
    setTimeout(() => pids.forEach((pid) => trySignal(pid, "SIGCONT")), 30);
  }, 40);
  const scans = await scansOf("pages", DIRECT_SCANS).finally(() => clearInterval(pauses));
  await expectSnapshots(scans);
  expect(pagesServed()).toBeLessThan(DIRECT_SCANS * PAGES);
});

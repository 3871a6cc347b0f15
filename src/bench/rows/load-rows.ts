import type { KeygroupClient } from "../../client/index.js";
import type { RequestShape } from "../wrk.js";
import type { LoadRow } from "./load-row.js";

const EMPTY: RequestShape = { method: "GET" };
const READING: RequestShape = { method: "POST", body: "21.5", contentType: "text/plain" };
const LARGE_BYTES = 1_000_000;

/** The ten readings and the pointer that the moving average keeps. */
export async function storeReadings(kv: KeygroupClient): Promise<void> {
  for (let i = 0; i < 10; i++) await kv.set(`reading/${i}`, 20 + i);
  await kv.set("latest", "9");
}

async function storeLarge(kv: KeygroupClient): Promise<void> {
  await kv.set("large", new Uint8Array(LARGE_BYTES).fill(7));
}

const JS_AVERAGE = {
  folder: "examples/moving-average/typescript",
  shape: READING,
  preload: storeReadings,
} as const;

/** The functions under load, with the project's targets. */
export const LOAD_ROWS: readonly LoadRow[] = [
  {
    name: "js-no-op",
    title: "JS no-op",
    folder: "bench/functions/no-op-js",
    shape: EMPTY,
    durability: "relaxed",
    target: { ceilingShare: 0.6 },
  },
  {
    name: "python-no-op",
    title: "Python no-op",
    folder: "bench/functions/no-op-python",
    shape: EMPTY,
    durability: "relaxed",
    target: { ceilingShare: 0.4 },
  },
  {
    name: "js-average",
    title: "JS moving average, relaxed",
    ...JS_AVERAGE,
    durability: "relaxed",
    target: { ceilingShare: 0.3 },
  },
  {
    name: "js-average-strict",
    title: "JS moving average, strict",
    ...JS_AVERAGE,
    durability: "strict",
    target: { ceilingShare: 0.2 },
  },
  {
    name: "python-average",
    title: "Python moving average, relaxed",
    folder: "examples/moving-average/python",
    shape: READING,
    durability: "relaxed",
    target: { ceilingShare: 0.12 },
    preload: storeReadings,
  },
  {
    name: "js-read-large",
    title: "JS reads 1 MB and drops it",
    folder: "bench/functions/read-large-js",
    shape: EMPTY,
    durability: "relaxed",
    target: { gbPerS: 1 },
    bytesPerCall: LARGE_BYTES,
    preload: storeLarge,
  },
];

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { FunctionConfig } from "../../../src/client/types.js";
import { writeFiles } from "../../helpers/temporary-folder.js";
import type { RunningNode } from "../../helpers/running-node.js";
import type { Operation } from "../../helpers/linearizability.js";
import type { Job } from "./drivers/worker.js";

/** A language that workers are written in. */
export type Language = "python" | "node";

const NODE_ENTRY = `
  import { kv } from "enoki";
  import { work } from "./worker.js";
  const instance = crypto.randomUUID();
  export async function call(job) {
    const store = job.keygroup ? kv.keygroup(job.keygroup) : kv;
    return { instance, history: await work(store, job) };
  }`;

/** What a call of a worker returns. */
export interface Worked {
  /** Names the instance that the call ran on. */
  readonly instance: string;
  readonly history?: readonly Operation[];
}

/** Deploys the worker of a language as the function `name`. */
export async function deployWorker(
  running: RunningNode,
  name: string,
  language: Language,
  config: FunctionConfig,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "enoki-worker-"));
  const source = (file: string): Promise<string> =>
    readFile(new URL(`drivers/${file}`, import.meta.url), "utf8");
  await writeFiles(
    folder,
    language === "python"
      ? { "fn.py": await source("worker.py") }
      : { "worker.ts": await source("worker.ts"), "index.ts": NODE_ENTRY },
  );
  await running.client.functions.deploy(name, folder, config);
  await rm(folder, { recursive: true });
}

/** Calls a worker over HTTP. */
export async function callWorker(running: RunningNode, name: string, job: Job): Promise<Worked> {
  const response = await fetch(`${running.functionsUrl}/${name}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(job),
  });
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()) as Worked;
}

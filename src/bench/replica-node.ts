import { createInterface } from "node:readline";

import { loadConfig } from "../node/config.js";
import { serve } from "../node/serve.js";
import { replicaWork, type Answer, type Question } from "./replica-work.js";

/**
 * A node in a process of its own for rows about replication: `replica-node.js NAME NAMING DATA-DIR
 * STORAGE`. It is what `enoki up` runs, and does beside that what each line on stdin asks for, so
 * that nothing but replication is measured. It ends when its stdin does.
 */

const [name, naming, dataDir, storage] = process.argv.slice(2);
const config = await loadConfig({
  flags: { name, naming, dataDir, storage, functionPort: "off", adminPort: "off", linkPort: "0" },
  env: {},
  readFile: () => Promise.reject(new Error("there is no configuration file")),
});
const serving = await serve(config);
const [node] = serving.nodes;
if (node === undefined) throw new Error("there is no node");
const work = replicaWork(node);
const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const { id, task, options } = JSON.parse(line) as Question;
  const answer = (rest: Omit<Answer, "id">): void =>
    void process.stdout.write(`${JSON.stringify({ id, ...rest })}\n`);
  (work[task] as (options: unknown) => Promise<unknown>)(options).then(
    (result) => answer({ result }),
    (error: unknown) => answer({ error: String((error as Error).stack) }),
  );
});
const end = (): void => void serving.close().then(() => process.exit());
lines.once("close", end);
process.once("SIGTERM", end);
process.stdout.write(`${JSON.stringify({ ready: name })}\n`);

import { storeReadings } from "../../bench/rows/load-rows.js";
import { functionFolder, startNode } from "../../bench/servers.js";
import type { Isolation } from "../../bench/results.js";
import type { Contender } from "../contender.js";
import { VALUE_BYTES, WORKS, type Work } from "../work.js";

const FOLDERS: Readonly<Record<Work, string>> = {
  "no-op": "bench/functions/no-op-js",
  average: "examples/moving-average/typescript",
  "read-1kb": "bench/functions/read-large-js",
  "read-1mb": "bench/functions/read-large-js",
};

const ISOLATIONS: Readonly<Record<Isolation, string>> = {
  process: "a process of its own",
  sandbox: "a sandbox (bubblewrap: own namespaces, no network, read-only files)",
};

/**
 * Longer than a contender waits for its turn. The others keep what they have started; what a first
 * call costs after a pause is a row of the bench.
 */
const INSTANCE_IDLE = "10m";

/** A node as `enoki up` starts it, with a function in JavaScript or TypeScript. */
export const ENOKIS: readonly Contender[] = [
  enoki("process", "relaxed", WORKS),
  enoki("sandbox", "relaxed", WORKS),
  enoki("process", "strict", ["average"]),
  enoki("sandbox", "strict", ["average"]),
];

function enoki(
  isolation: Isolation,
  durability: "relaxed" | "strict",
  works: readonly Work[],
): Contender {
  return {
    system: "enoki",
    title: `Enoki, ${isolation}`,
    durability,
    isolation: ISOLATIONS[isolation],
    works,
    ...(isolation === "sandbox" && { needs: "bwrap" }),
    async start({ resources }, work) {
      const { client, functionsUrl } = await startNode(resources, {
        flags: ["--instance-idle", INSTANCE_IDLE],
      });
      await client.functions.deploy(work, functionFolder(FOLDERS[work]), { isolation });
      await client.keygroups.configure(work, { durability });
      const kv = client.kv(work);
      if (work === "average") await storeReadings(kv);
      const valueBytes = VALUE_BYTES[work];
      if (valueBytes > 0) await kv.set("large", new Uint8Array(valueBytes).fill(7));
      return { url: `${functionsUrl}/${work}` };
    },
  };
}

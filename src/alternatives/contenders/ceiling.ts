import type { Contender, Durability } from "../contender.js";
import { ownProgram } from "../packages.js";
import { VALUE_BYTES, WORKS, type Work } from "../work.js";

/** Bare `node:http` with LMDB in the same process: as fast as the work gets with Node. */
export const CEILINGS: readonly Contender[] = [
  ceiling("relaxed", WORKS),
  ceiling("strict", ["average"]),
];

function ceiling(durability: Durability, works: readonly Work[]): Contender {
  return {
    system: "ceiling",
    title: "node:http + LMDB",
    durability,
    isolation: "none: server, function and store are one process",
    works,
    async start({ resources }, work) {
      const path = `${await resources.makeFolder()}/data`;
      const act = work.startsWith("read") ? "read" : work;
      const server = await resources.startServer(process.execPath, [
        ownProgram("ceiling/server.mjs"),
        act,
        path,
        durability,
        String(VALUE_BYTES[work]),
      ]);
      return { url: server.readyLine };
    },
  };
}

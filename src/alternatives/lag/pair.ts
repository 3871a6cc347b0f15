import { join } from "node:path";

import type { LagRound } from "../results.js";
import type { Surroundings } from "../contender.js";

/** Two nodes of a system, and a client of both that times what it sees. */
export interface Pair {
  /** Writes so many values one after the other at the first node, each once the last was seen. */
  measure(count: number): Promise<LagRound>;
}

/** Starts a pair, which ends with its resources. */
export type StartPair = (surroundings: Surroundings) => Promise<Pair>;

/**
 * Starts the client, a process of its own. It writes at the first address and watches at the second
 * one.
 */
export async function startClient(
  { resources, programs }: Surroundings,
  library: string,
  addresses: readonly string[],
): Promise<Pair> {
  const client = await resources.startServer(process.execPath, [
    join(programs, "lag/client.mjs"),
    library,
    ...addresses,
  ]);
  let answered: (line: string) => void = () => {};
  let ended: (error: Error) => void = () => {};
  client.listen(
    (line) => answered(line),
    () => ended(new Error(`the client of ${library} ended`)),
  );
  return {
    async measure(count) {
      const answer = new Promise<string>((resolve, reject) => {
        answered = resolve;
        ended = reject;
      });
      client.tell(String(count));
      const found = JSON.parse(await answer) as LagRound | { readonly error: string };
      if ("error" in found) throw new Error(`${library}: ${found.error}`);
      return found;
    },
  };
}

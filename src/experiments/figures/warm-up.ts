import type { Answer } from "../load/answer-reader.js";
import type { Point } from "../results/point.js";

/** Calls that are made before a load, so that it meets a function that runs. */
export interface WarmUp {
  /** How many are made at once. */
  readonly workers: number;
  readonly calls: number;
  readonly call: (n: number) => Promise<Answer>;
}

/** To deploy a function on a node and to remove it, with its data, in seconds: seen on two processors. */
export const DEPLOYED_S = 0.8;

/** A call over the client's link, with a connection of its own, and those of others beside it. */
export const CALL_MS = 15;
/** A trip to the cloud from an edge. */
export const CLOUD_TRIP_MS = 51;
/** A trip from one edge to another. */
export const PEER_TRIP_MS = 21;

const CALLS_PER_LOAD_S = 20;
const CALLS_MAX = 120;

/**
 * Calls before an open load of that length. why so many: at ten requests a second a function and its node
 * would be met as they just started, and compiled to machine code at the end of the load.
 */
export function warmCallsOf({ loadS }: Point): number {
  return Math.min(CALLS_MAX, Math.ceil(CALLS_PER_LOAD_S * loadS));
}

/** How long a warm-up takes, in seconds, if each call takes so many ms. */
export function warmUpS({ workers, calls }: Omit<WarmUp, "call">, callMs: number): number {
  return (calls / workers) * (callMs / 1000);
}

/** Makes the calls. @throws Error with what the function said, if one fails */
export async function warmUp({ workers, calls, call }: WarmUp): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    for (let n = next++; n < calls; n = next++) {
      const { status, body } = await call(n);
      if (status === 200) continue;
      throw new Error(`the function answers ${status}: ${body.toString().slice(0, 500)}`);
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
}

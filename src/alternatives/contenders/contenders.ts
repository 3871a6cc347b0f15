import type { Contender } from "../contender.js";
import { CEILINGS } from "./ceiling.js";
import { DENOS } from "./deno.js";
import { ENOKIS } from "./enoki.js";
import { FASTIFY_REDIS } from "./fastify-redis.js";
import { RESTATES } from "./restate.js";
import { WORKERDS } from "./workerd.js";

/** All contenders, in the order of the tables. */
export const CONTENDERS: readonly Contender[] = [
  ...ENOKIS,
  ...DENOS,
  ...WORKERDS,
  ...RESTATES,
  ...FASTIFY_REDIS,
  ...CEILINGS,
];

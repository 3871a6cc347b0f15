import type { Contender } from "../contender.js";
import { CEILINGS } from "./ceiling.js";
import { DENO } from "./deno.js";
import { ENOKIS } from "./enoki.js";
import { FASTIFY_REDIS } from "./fastify-redis.js";
import { RESTATE } from "./restate.js";
import { WORKERD } from "./workerd.js";

/** All contenders, in the order of the tables. */
export const CONTENDERS: readonly Contender[] = [
  ...ENOKIS,
  DENO,
  WORKERD,
  ...RESTATE,
  ...FASTIFY_REDIS,
  ...CEILINGS,
];

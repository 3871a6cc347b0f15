import type { Canary } from "./canary.js";
import { CLIENT_CANARIES } from "./client-canaries.js";
import { REPLICA_CANARIES } from "./replica-canaries.js";

/** Every canary. */
export const CANARIES: readonly Canary[] = [...REPLICA_CANARIES, ...CLIENT_CANARIES];

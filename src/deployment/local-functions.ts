import type { Functions } from "../functions/functions.js";

/** What of this node's functions a deployment over several nodes works with. */
export type LocalFunctions = Pick<
  Functions,
  | "list"
  | "recordOf"
  | "status"
  | "changing"
  | "keepingArtefacts"
  | "tryOut"
  | "remove"
  | "rollback"
  | "reconfigure"
  | "logs"
  | "followLogs"
>;

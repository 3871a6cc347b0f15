import type { FunctionConfig } from "./types.js";

/** True if two configurations say the same, in whatever order. */
export function isSameConfig(left: FunctionConfig, right: FunctionConfig): boolean {
  return configText(left) === configText(right);
}

/** A configuration as text that is the same for all that say the same. */
export function configText(config: FunctionConfig): string {
  const { env, secrets = {}, ...rest } = config;
  return JSON.stringify([inOrder(rest), inOrder(env), inOrder(secrets)]);
}

function inOrder(members: object): [string, unknown][] {
  return Object.entries(members)
    .filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

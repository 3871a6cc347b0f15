import { EnokiError } from "../core/errors.js";
import { requireFewSecrets } from "../secrets/secrets.js";
import type { SecretChanges } from "./facade.js";
import type { FunctionConfig } from "./types.js";

/**
 * A configuration with some secrets set and some taken away; the others stay.
 * @throws EnokiError `ENOKI_INVALID_INPUT` for too many, or for one that is a plain variable too
 */
export function withSecrets(config: FunctionConfig, changes: SecretChanges): FunctionConfig {
  const { secrets: before, ...rest } = config;
  const wanted = Object.entries({ ...before, ...changes }).filter(
    (entry): entry is [string, string] => entry[1] !== null,
  );
  if (wanted.length === 0) return rest;
  const secrets = Object.fromEntries(wanted.sort(([a], [b]) => (a < b ? -1 : 1)));
  requireFewSecrets(secrets);
  const twice = Object.keys(secrets).find((name) => Object.hasOwn(config.env, name));
  if (twice !== undefined) {
    const field = `secrets.${twice}`;
    const detail = `${field}: is a variable of env, too; take one of the two away`;
    throw new EnokiError("ENOKI_INVALID_INPUT", detail, { field });
  }
  return { ...rest, secrets };
}

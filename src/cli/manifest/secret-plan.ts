import { EnokiError } from "../../core/errors.js";
import type { SecretComparison } from "../../client/types.js";
import type { FieldChange, PackedFunction } from "./plan.js";

/**
 * Compares the secrets of a function by their names; what was said of their values is in `compared`.
 * One whose value is nowhere here stays as it is.
 * @throws EnokiError `ENOKI_INVALID_MANIFEST` if such a one is not there yet
 */
export function compareSecrets(
  { name, secrets }: Pick<PackedFunction, "name" | "secrets">,
  known: readonly string[],
  compared: Readonly<Record<string, SecretComparison>>,
  prunes: boolean,
): FieldChange[] {
  const changes = [...secrets].flatMap(([secret, found]): FieldChange[] => {
    const isThere = known.includes(secret);
    if ("missing" in found && !isThere) {
      const detail = `functions.${name}.secrets.${secret}: ${found.missing}, and the function has no such secret yet`;
      throw new EnokiError("ENOKI_INVALID_MANIFEST", detail);
    }
    if ("missing" in found || compared[secret] === "same") return [];
    const [from, to] = isThere ? ["set", "changed"] : [null, "set"];
    return [{ field: `secrets.${secret}`, from: from ?? null, to: to ?? null }];
  });
  const gone = prunes ? known.filter((secret) => !secrets.has(secret)) : [];
  return [
    ...changes,
    ...gone.map((secret) => ({ field: `secrets.${secret}`, from: "set", to: null })),
  ];
}

import { EnokiError } from "../../core/errors.js";
import type { FunctionName } from "../../core/ids.js";
import { includesRight } from "../../core/rights.js";
import type { TriggerSetting } from "../../functions/types.js";
import type { Grants } from "../../keygroups/grants.js";
import { parseTrigger } from "../../triggers/trigger.js";

/**
 * A function may listen to its own keygroup, and to others that it was granted the right `triggers` on.
 * @throws EnokiError `ENOKI_FORBIDDEN` that says how the right is given
 */
export function requireTriggerRights(
  grants: Pick<Grants, "rightsOf">,
  name: FunctionName,
  triggers: readonly TriggerSetting[],
): void {
  for (const { on, at } of triggers) {
    const { cause } = parseTrigger(on, at);
    if (cause.kind !== "keygroup" || cause.keygroup === (name as string)) continue;
    const rights = grants.rightsOf(cause.keygroup, { kind: "function", id: name });
    if (includesRight(rights, "triggers")) continue;
    const how = `enoki keygroups grant ${cause.keygroup} --to function:${name} --rights triggers`;
    const detail = `function "${name}" has no right to triggers on keygroup "${cause.keygroup}"; an admin gives it: ${how}`;
    throw new EnokiError("ENOKI_FORBIDDEN", detail, { rights: ["triggers"] });
  }
}

import { EnokiError } from "../../core/errors.js";
import { parseNodeName } from "../../core/ids.js";
import { isLabel } from "../../core/labels.js";
import type { DeployTargets } from "../../functions/facade.js";

/**
 * Reads which nodes are to run a function: names, `NAME=VALUE` of labels and `all`, with commas.
 * @throws EnokiError `ENOKI_INVALID_INPUT`, `ENOKI_INVALID_NAME`
 */
export function parseTargets(text: string | undefined): DeployTargets | undefined {
  if (text === undefined) return undefined;
  const words = text.split(",").map((word) => word.trim());
  const labels = words.filter((word) => word.includes("="));
  for (const label of labels) {
    if (isLabel(label)) continue;
    throw new EnokiError("ENOKI_INVALID_INPUT", `to: ${JSON.stringify(label)} is no label`, {
      field: "to",
    });
  }
  const nodes = words.filter((word) => word !== "all" && !word.includes("="));
  return { nodes: nodes.map(parseNodeName), labels, isAll: words.includes("all") };
}

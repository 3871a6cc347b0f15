import { EnokiError } from "../core/errors.js";
import { parseNodeName, type NodeName } from "../core/ids.js";

/** Where data are to lie: on every node that runs the function, or on one. */
export type PlacementInput =
  | { readonly kind: "replicate" }
  | { readonly kind: "at"; readonly node: NodeName };

/** Reads `replicate` or `at:NODE`. @throws EnokiError `ENOKI_INVALID_INPUT` naming the field */
export function parsePlacement(text: string, field = "data"): PlacementInput {
  if (text === "replicate") return { kind: "replicate" };
  if (text.startsWith("at:")) return { kind: "at", node: parseNodeName(text.slice("at:".length)) };
  const detail = `${field}: ${JSON.stringify(text)} is neither replicate nor at:NODE`;
  throw new EnokiError("ENOKI_INVALID_INPUT", detail, { field });
}

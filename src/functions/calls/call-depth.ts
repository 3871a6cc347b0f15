import { EnokiError } from "../../core/errors.js";
import { LIMITS } from "../../core/limits.js";

/**
 * Depth of a call or send of `name` that is made on behalf of `caller`; 1 without one.
 * @throws EnokiError `ENOKI_CALL_DEPTH` below the greatest
 */
export function depthBelow(caller: { readonly depth: number } | undefined, name: string): number {
  const depth = (caller?.depth ?? 0) + 1;
  if (depth <= LIMITS.callDepthMax) return depth;
  const shown = JSON.stringify(name.slice(0, 63));
  const detail = `${LIMITS.callDepthMax} calls lie above this one of ${shown}: do functions call each other in a circle?`;
  throw new EnokiError("ENOKI_CALL_DEPTH", detail);
}

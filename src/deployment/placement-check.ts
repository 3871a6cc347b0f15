import type { KeygroupRecord } from "../cluster/records.js";
import { EnokiError } from "../core/errors.js";
import type { FunctionName, KeygroupName } from "../core/ids.js";
import type { DataPlacement, DeployRequest } from "../functions/facade.js";

/**
 * True if the data lie already as the deploy wants them to, or will by themselves.
 * @throws EnokiError `ENOKI_PLACEMENT_CONFLICT`
 */
export function isPlacedAs(
  { name, placement }: Pick<DeployRequest, "name" | "placement">,
  record: KeygroupRecord | undefined,
): boolean {
  if (!placement) return true;
  if (!record || record.isDropped) return placement.kind === "replicate";
  if (textOf(record.placement) === textOf(placement)) return true;
  const detail = `the data of "${name}" are placed ${textOf(record.placement)}`;
  throw new EnokiError("ENOKI_PLACEMENT_CONFLICT", detail);
}

/** The default keygroup of a function has the function's name. */
export function keygroupOf(name: FunctionName): KeygroupName {
  return name as string as KeygroupName;
}

function textOf(placement: DataPlacement): string {
  return placement.kind === "at" ? `at:${placement.node}` : placement.kind;
}

import type { FunctionName, NodeName } from "../core/ids.js";
import type { DataPlacement, UndeployOptions } from "../functions/facade.js";

/** The data of functions, which are replicated elsewhere. */
export interface FunctionData {
  /** Ends a function's keygroup on all nodes. */
  remove(name: FunctionName): Promise<void>;
  /** Makes a function's keygroup with its data placed so. @throws EnokiError `ENOKI_KEYGROUP_EXISTS` */
  create(name: FunctionName, placement: DataPlacement): Promise<void>;
  /** Takes the replica from a node, if there is one that the placement does not want there. */
  takeFrom(
    name: FunctionName,
    node: NodeName,
    options: UndeployOptions,
  ): Promise<number | undefined>;
}

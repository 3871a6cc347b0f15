import type { FunctionName, InvocationId, NodeName } from "../core/ids.js";
import type {
  FunctionConfig,
  FunctionRecord,
  FunctionStatus,
  InvocationState,
  InvocationSummary,
  LogLine,
} from "./types.js";

/** A request to deploy: a zip with the code, and what its owner asked for. */
export interface DeployRequest {
  readonly name: FunctionName;
  readonly archive: Buffer;
  /** A runtime name; `undefined` = decided by the entry file. */
  readonly runtime: string | undefined;
  /** What was said; the rest takes its default, or for a redeploy the previous revision's setting. */
  readonly config: Partial<FunctionConfig>;
  /** What changes of its secrets; the others stay. */
  readonly secrets?: SecretChanges | undefined;
  /** Let pip build source distributions. */
  readonly allowBuild: boolean;
  /** The nodes that are to run it, beside those that do already; `undefined` = this one. */
  readonly targets?: DeployTargets | undefined;
  /** `undefined` = as it is, and for new data `replicate`. */
  readonly placement?: DataPlacement | undefined;
}

/** Sealed texts by the names of secrets; `null` = it goes. */
export type SecretChanges = Readonly<Record<string, string | null>>;

/** Where the data of a function are to lie: on every node that runs it, or on one. */
export type DataPlacement =
  | { readonly kind: "replicate" }
  | { readonly kind: "at"; readonly node: NodeName };

/** Makes a configuration of another one; what it throws ends the change. */
export type ConfigChange = (config: FunctionConfig) => FunctionConfig | Promise<FunctionConfig>;

/** How a function is taken off one of its nodes. */
export interface UndeployOptions {
  /** The replica goes too, whatever is nowhere else. */
  readonly isForced: boolean;
  /** How long to wait until another replica has everything. */
  readonly withinMs: number;
  /** The replica stays. */
  readonly keepsData: boolean;
}

/** Nodes by name, by their labels (`NAME=VALUE`, each good for itself), or all of them. */
export interface DeployTargets {
  readonly nodes: readonly NodeName[];
  readonly labels: readonly string[];
  readonly isAll: boolean;
}

/** How far a function is on one node that is to run it. */
export interface FunctionPlace {
  readonly node: NodeName;
  /** Whether the node is there now. */
  readonly isPresent: boolean;
  readonly state: "pending" | "ready" | "failed";
  /** The revision that serves there; 0 = none. */
  readonly serving: number;
  /** Why it is not ready, or what is to be known of it. */
  readonly reason: string | undefined;
}

/** Everything that the admin API can do with functions. Each method throws `EnokiError`. */
export interface FunctionsFacade {
  list(): readonly FunctionRecord[];
  /** @throws EnokiError `ENOKI_FUNCTION_NOT_FOUND` */
  describe(name: FunctionName): FunctionRecord;
  status(name: FunctionName): FunctionStatus;
  /** The nodes that are to run it; `undefined` on a node that is alone. */
  places(name: FunctionName): readonly FunctionPlace[] | undefined;
  /** Resolves once the new revision serves. `isNew` = there was no such function. */
  deploy(request: DeployRequest): Promise<{ record: FunctionRecord; isNew: boolean }>;
  rollback(name: FunctionName, revision: number | undefined): Promise<FunctionRecord>;
  /**
   * Makes a revision with the code of the current one and what `change` makes of its configuration;
   * none if that is the same one.
   */
  reconfigure(name: FunctionName, change: ConfigChange): Promise<FunctionRecord>;
  remove(name: FunctionName, options: { deleteData: boolean }): Promise<void>;
  /**
   * Takes it off one node, with the replica there once another one has everything. Resolves with the
   * number of writes that no other replica was known to have; `undefined` = nobody could be asked.
   */
  removeFrom(
    name: FunctionName,
    node: NodeName,
    options: UndeployOptions,
  ): Promise<number | undefined>;
  /** The last `tail` lines, oldest first. */
  logs(name: FunctionName, tail: number): readonly LogLine[];
  /** Calls `onLine` for each new line until the returned function is called. */
  followLogs(name: FunctionName, onLine: (line: LogLine) => void): () => void;
}

/** Everything that the admin API can do with asynchronous invocations. */
export interface InvocationsFacade {
  list(filter: {
    readonly function?: FunctionName;
    readonly state?: InvocationState;
    readonly limit: number;
  }): readonly InvocationSummary[];
  /** @throws EnokiError `ENOKI_INVOCATION_NOT_FOUND` */
  show(id: InvocationId): InvocationSummary;
  /** Queues a dead letter again. @throws EnokiError `ENOKI_INVOCATION_NOT_FOUND` */
  replay(id: InvocationId): Promise<InvocationSummary>;
  /** Forgets a dead letter. @throws EnokiError `ENOKI_INVOCATION_NOT_FOUND` */
  forget(id: InvocationId): Promise<void>;
}

import type { FunctionName, InvocationId } from "../core/ids.js";
import type { TraceContext } from "../core/trace-context.js";
import type { Isolation, NetworkAccess } from "../ports/runtime.js";
import type { BuiltFor } from "./build-target.js";

/** Handler contracts a function can be written for. The last four are tinyFaaS's and the prototype's. */
export const RUNTIMES = [
  "python",
  "node",
  "binary",
  "python3",
  "python3-kv",
  "nodejs",
  "tinyfaas-binary",
] as const;

/** One of {@link RUNTIMES}. */
export type RuntimeName = (typeof RUNTIMES)[number];

/** Where a trigger's events are taken up: where a write was made, on every node, or on one of them. */
export type TriggerPlace = "origin" | "every" | "one";

/** What calls a function by itself, as text (`src/triggers/trigger.ts` reads it). */
export interface TriggerSetting {
  /** `keygroup:NAME/PREFIX`, `cron:SCHEDULE` or `mqtt://BROKER/TOPIC`. */
  readonly on: string;
  readonly at: TriggerPlace;
}

/** How a function runs. Durations are milliseconds and sizes bytes in here, text outside. */
export interface FunctionConfig {
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly memoryBytes: number;
  /** 0 = no limit. */
  readonly cpus: number;
  readonly maxInstances: number;
  /** Calls at once per instance; `undefined` = what the handler can take (64, or 1 for a plain `def`). */
  readonly concurrency?: number;
  readonly isolation: Isolation;
  readonly network: NetworkAccess;
  /** Who may call it: everybody, or bearers of a token; `undefined` = as the node says. */
  readonly access?: "public" | "token";
  /**
   * Whether a plain `set` waits until it is stored where the keygroup lies on another node, or until it
   * is sent, and the response for all of them; `undefined` = awaited.
   */
  readonly remoteWrites?: "awaited" | "pipelined";
  /** The application whose manifest it was deployed by. */
  readonly application?: string;
  /** What calls it by itself; `undefined` = nothing. */
  readonly triggers?: readonly TriggerSetting[];
  /** Sealed, by the variables that they become in an instance; never shown. */
  readonly secrets?: Readonly<Record<string, string>>;
}

/** One deployed version of a function's code and configuration. */
export interface Revision {
  readonly number: number;
  readonly runtime: RuntimeName;
  readonly entry: string;
  /** Content hash of the built artefact. */
  readonly artefact: string;
  readonly artefactSizeBytes: number;
  /** Whether the artefact has a `deps` folder (Python). */
  readonly hasDeps: boolean;
  readonly config: FunctionConfig;
  readonly createdAtMs: number;
  /** SHA-256 of the archive that it was deployed from; `undefined` = by an older version. */
  readonly archive?: string | undefined;
  /** What the artefact was built for; `undefined` = by an older version, for this machine. */
  readonly builtFor?: BuiltFor | undefined;
  /** Of a function of several nodes: what every node can build it from, and which deploy made it. */
  readonly origin?: RevisionOrigin | undefined;
}

/** Where a revision of a function of several nodes comes from. */
export interface RevisionOrigin {
  /** Names the deploy: two of the same number that differ in it are two revisions. */
  readonly deploy: string;
  /** Hash of the source's archive among the artefacts. */
  readonly source: string;
  /** Let pip build source distributions. */
  readonly allowBuild: boolean;
}

/** A function as the node knows it. */
export interface FunctionRecord {
  readonly name: FunctionName;
  /** Number of the revision that serves. */
  readonly current: number;
  /** Oldest first. */
  readonly revisions: readonly Revision[];
}

/** How a function is doing right now. */
export interface FunctionStatus {
  readonly instances: number;
  readonly running: number;
  readonly queued: number;
  readonly invocationsTotal: number;
  readonly failuresTotal: number;
  readonly coldStartsTotal: number;
}

/** One line that a function wrote. */
export interface LogLine {
  readonly atMs: number;
  readonly stream: "stdout" | "stderr" | "platform";
  readonly invocation: InvocationId | undefined;
  /** Where the invocation belongs in a trace, if its caller named one or this node records it. */
  readonly trace?: TraceContext | undefined;
  readonly text: string;
}

/** Which invocation wrote a line. */
export type LogOrigin = Required<Pick<LogLine, "invocation" | "trace">>;

/** Where an async invocation stands. */
export type InvocationState = "queued" | "running" | "done" | "dead";

/** An async invocation for lists and pages; bodies are not part of it. */
export interface InvocationSummary {
  readonly id: InvocationId;
  readonly function: FunctionName;
  readonly state: InvocationState;
  readonly tries: number;
  readonly createdAtMs: number;
  readonly finishedAtMs?: number;
  readonly status?: number;
  /** Why it failed last, if it did. */
  readonly lastError?: { readonly code: string; readonly message: string };
}

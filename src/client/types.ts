/** How a function should run: the `config` part of a deploy. What is left out keeps its setting or default. */
export interface FunctionConfig {
  /** `python`, `node` or `binary`, or one of tinyFaaS's; without it the entry file decides. */
  readonly runtime?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A duration such as `60s`. */
  readonly timeout?: string;
  /** A size such as `256m`. */
  readonly memory?: string;
  /** CPUs, such as `0.5`. */
  readonly cpu?: string;
  readonly maxInstances?: number;
  /** Calls at once per instance. */
  readonly concurrency?: number;
  readonly isolation?: "process" | "sandbox";
  readonly network?: "none" | "host";
  /** Lets pip build source distributions. */
  readonly allowBuild?: boolean;
}

/** A deployed function. */
export interface FunctionInfo {
  readonly name: string;
  readonly revision: number;
  readonly runtime: string;
  readonly entry: string;
  readonly url: string;
  readonly keygroup: string;
  readonly config: FunctionConfig;
  readonly artefact: string;
  readonly createdAt: string;
  readonly status: {
    readonly instances: number;
    readonly running: number;
    readonly queued: number;
    readonly invocationsTotal: number;
    readonly failuresTotal: number;
    readonly coldStartsTotal: number;
  };
  /** The nodes that are to run it; absent on a node that is alone. */
  readonly nodes?: readonly FunctionNodeInfo[];
}

/** How far a function is on one node. */
export interface FunctionNodeInfo {
  readonly node: string;
  /** Whether the node is there now. */
  readonly present: boolean;
  readonly state: "pending" | "ready" | "failed";
  /** The revision that serves there; `null` = none. */
  readonly revision: number | null;
  /** Why it is not ready, or that it was rebuilt there. */
  readonly reason?: string;
}

/** One deployed version of a function. */
export interface RevisionInfo {
  readonly number: number;
  readonly runtime: string;
  readonly entry: string;
  readonly artefact: string;
  readonly artefactSizeBytes: number;
  readonly config: FunctionConfig;
  readonly createdAt: string;
  readonly current: boolean;
}

/** One line that a function wrote. */
export interface LogEntry {
  readonly at: string;
  readonly stream: "stdout" | "stderr" | "platform";
  readonly invocation: string | null;
  readonly text: string;
}

/** An asynchronous invocation. */
export interface InvocationInfo {
  readonly id: string;
  readonly function: string;
  readonly state: "queued" | "running" | "done" | "dead";
  readonly tries: number;
  readonly createdAt: string;
  readonly finishedAt?: string;
  readonly status?: number;
  readonly lastError?: { readonly code: string; readonly message: string };
}

/** What can be chosen about a keygroup. */
export interface KeygroupSettings {
  readonly policy?: "lww" | "siblings" | "merge";
  readonly durability?: "relaxed" | "strict";
  /** A duration such as `7d`, given to writes that name none; `null` = values stay. */
  readonly ttl?: string | null;
}

/** A keygroup. */
export interface KeygroupInfo {
  readonly name: string;
  readonly policy: "lww" | "siblings" | "merge";
  readonly durability: "relaxed" | "strict";
  readonly ttl: string | null;
  readonly storage: string;
  readonly keys: number;
  readonly sizeBytes: number;
  readonly members: readonly string[];
}

/** Where a value comes from. */
export interface Explanation {
  readonly key: string;
  readonly versions: readonly {
    readonly version: string;
    readonly at: string;
    /** The invocation that wrote it; `null` if it was written from outside. */
    readonly invocation: string | null;
    readonly type: string;
    readonly expiresAt: string | null;
  }[];
}

/** A node about itself. */
export interface NodeInfo {
  readonly name: string;
  readonly version: string;
  readonly addresses: { readonly functions?: string | null; readonly admin?: string | null };
  /** Who may call functions: everybody, or whoever has the node's token. */
  readonly access?: "public" | "token";
  readonly runtimes?: Readonly<
    Record<string, { readonly version: string } | { readonly missing: string }>
  >;
  readonly isolation?: {
    readonly available: readonly string[];
    readonly sandboxMissing?: string;
    readonly memoryLimit: string;
  };
  readonly storage?: { readonly driver: string; readonly dataDir: string | null };
}

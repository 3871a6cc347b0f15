/** What calls a function by itself. */
export interface TriggerSetting {
  /** `keygroup:NAME/PREFIX`, `cron:SCHEDULE` or `mqtt://BROKER/TOPIC`. */
  readonly on: string;
  /** `origin`, `every` or `one`; without it `origin` for keygroups, and `one` for all others. */
  readonly at?: string;
}

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
  /** Who may call it: everybody, or bearers of a token; without it as the node says. */
  readonly access?: "public" | "token";
  /** Whether a plain `set` waits until it is stored on another node, or until it is sent; without it `awaited`. */
  readonly remoteWrites?: "awaited" | "pipelined";
  /** The application whose manifest it is deployed by. */
  readonly application?: string;
  /** What calls it by itself, in place of what it has. */
  readonly triggers?: readonly TriggerSetting[];
  /** Lets pip build source distributions. */
  readonly allowBuild?: boolean;
}

/** How a function runs, as a node tells it. */
export interface ShownConfig extends FunctionConfig {
  /** The names of its secrets; nobody is told their values. */
  readonly secrets?: readonly string[];
}

/** Secrets by the names of the variables that they become; `null` = it goes. What is not named stays. */
export type SecretChanges = Readonly<Record<string, string | null>>;

/** A secret of a function, without its value. */
export interface SecretInfo {
  readonly name: string;
  /** The id of the cluster key that it is sealed with; `null` = it cannot be told. */
  readonly key: string | null;
}

/** How a value stands to the secret that is there; `unreadable` = the node cannot open that one. */
export type SecretComparison = "same" | "different" | "missing" | "unreadable";

/** A deployed function. */
export interface FunctionInfo {
  readonly name: string;
  readonly revision: number;
  readonly runtime: string;
  readonly entry: string;
  readonly url: string;
  readonly keygroup: string;
  readonly config: ShownConfig;
  readonly artefact: string;
  /** SHA-256 of the archive that it was deployed from. */
  readonly archive?: string;
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
  /** Triggers that cannot call it from the node that was asked, for now. */
  readonly failingTriggers?: readonly {
    readonly on: string;
    readonly code: string;
    readonly detail: string;
  }[];
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

/** What is left after a function was taken off a node. */
export interface Undeployed {
  readonly name: string;
  readonly node: string;
  /** Writes that no other replica was known to have; `null` = nobody could be asked. */
  readonly lost: number | null;
}

/** One deployed version of a function. */
export interface RevisionInfo {
  readonly number: number;
  readonly runtime: string;
  readonly entry: string;
  readonly artefact: string;
  readonly artefactSizeBytes: number;
  readonly config: ShownConfig;
  readonly createdAt: string;
  readonly current: boolean;
}

/** One line that a function wrote. */
export interface LogEntry {
  readonly at: string;
  readonly stream: "stdout" | "stderr" | "platform";
  readonly invocation: string | null;
  /** Of the trace that the invocation belongs to, and of the span in it; absent where there is none. */
  readonly traceId?: string;
  readonly spanId?: string;
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
  /** Who but its function may use it: of one keygroup that was asked for, where anybody may. */
  readonly grants?: readonly GrantInfo[];
  /** How it is doing on all its members: of one keygroup that was asked for, in a cluster. */
  readonly replication?: KeygroupReplication;
}

/** How a keygroup is doing on its members, as the node that was asked sees it. */
export interface KeygroupReplication {
  readonly generation: number;
  readonly epoch: number;
  /** Everything is on the disks of all members. */
  readonly everywhere: boolean;
  /** Writes of this node that are on no other disk for certain. */
  readonly unreplicated: number;
  /** `null`: nothing is known of a member. */
  readonly stalenessMs: number | null;
  readonly updatesApplied: number;
  readonly conflictsResolved: number;
  readonly members: readonly KeygroupMember[];
}

/** One member of a keygroup. */
export interface KeygroupMember {
  readonly node: string;
  /** It is the node that was asked. */
  readonly here: boolean;
  /** The naming service has heard of it lately. */
  readonly present: boolean;
  readonly state: "pending" | "joining" | "serving" | "leaving" | "away";
  /** Away since then, as far as is known. */
  readonly since?: string;
  readonly durability: "relaxed" | "strict";
  /** While it joins: what it has got so far; `share` is between 0 and 1. */
  readonly progress?: {
    readonly from: string;
    readonly items: number;
    readonly sizeBytes: number;
    readonly share: number;
  };
  /** What the node that was asked knows of it. */
  readonly peer?: {
    /** Commits that it has told of and that are missing here, and since when. */
    readonly lagUpdates: number;
    readonly lagMs: number;
    /** Commits here that it has not told of. */
    readonly behindUpdates: number;
    readonly outboxBytes: number;
    readonly stalenessMs: number | null;
    readonly updatesApplied: number;
    readonly conflictsResolved: number;
  };
}

/** Where the data of a keygroup are to lie, and where they do. */
export interface KeygroupPlaces {
  readonly name: string;
  readonly policy: "lww" | "siblings" | "merge";
  readonly ttl: string | null;
  /** `replicate` = on every node that runs the function, or `at:NODE`. */
  readonly data: string;
  readonly replicas: readonly {
    readonly node: string;
    readonly durability: "relaxed" | "strict";
    /** `away` = its node is; `unknown` = its node is there and could not be asked. */
    readonly state: "serving" | "joining" | "leaving" | "away" | "unknown";
  }[];
}

/** What is left after a replica was taken away. */
export interface RemovedReplica extends KeygroupPlaces {
  /** Writes that no other replica was known to have; `null` = nobody could be asked. */
  readonly lost: number | null;
}

/** Where a value comes from. */
export interface Explanation {
  readonly key: string;
  readonly versions: readonly {
    readonly version: string;
    readonly at: string;
    /** The node that wrote it; `null` if it is a member no longer. */
    readonly node: string | null;
    /** The invocation that wrote it; `null` if it was written from outside. */
    readonly invocation: string | null;
    readonly type: string;
    readonly expiresAt: string | null;
  }[];
  /** Who has it; the node that was asked comes first. */
  readonly replicas: readonly {
    readonly node: string;
    /**
     * Compared with the node that was asked: `missing` is not there yet, `concurrent` has one that is
     * not here and lacks one, `unknown` did not answer.
     */
    readonly state: "same" | "newer" | "older" | "missing" | "concurrent" | "unknown";
    readonly versions: readonly string[];
    /** Why it is unknown. */
    readonly reason?: string;
  }[];
}

/** The rights of a function or a token on a keygroup. */
export interface GrantInfo {
  /** `function:NAME` or `token:NAME`. */
  readonly to: string;
  readonly rights: readonly ("read" | "write" | "replicas" | "triggers" | "admin")[];
}

/** A token, without its secret. */
export interface TokenInfo {
  readonly id: string;
  readonly name: string;
  readonly role: "admin" | "deploy" | "invoke" | "read";
  readonly createdAt: string;
  /** `null` = it does not expire. */
  readonly expiresAt: string | null;
}

/** A token that was just made; its text cannot be asked for again. */
export interface MadeToken extends TokenInfo {
  readonly token: string;
}

/** A node of the cluster, as another one knows it. */
export interface KnownNode {
  readonly name: string;
  /** The node that was asked. */
  readonly self: boolean;
  readonly state: "up" | "away";
  readonly version: string;
  readonly platform: string;
  readonly python?: string;
  readonly storage: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `HOST:PORT` of its links; none = it only dials out. */
  readonly links: readonly string[];
  readonly functions: readonly string[];
  readonly keygroups: readonly string[];
}

/** A node about itself. */
export interface NodeInfo {
  readonly name: string;
  readonly version: string;
  readonly addresses: {
    readonly functions?: string | null;
    readonly admin?: string | null;
    readonly coap?: string | null;
    readonly grpc?: string | null;
  };
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
